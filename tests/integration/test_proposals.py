"""Promotion as the workspace does it: notebooks from elsewhere, into a bare repository."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nb2prod.errors import (
    ImageMissing,
    InvalidInput,
    NameInvalid,
    PipelineNotFound,
    PreflightBlocked,
)
from nb2prod.execution.circumstances import code_note
from nb2prod.execution.models import FileAccess, FileUse
from nb2prod.notebook.models import Cell
from nb2prod.registry.diff import script_diff
from nb2prod.registry.lock import ObservedEnvironment, parse_observation
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import (
    Proposal,
    confirm,
    list_versions,
    load_version,
    propose_content,
    version_notebook,
)
from nb2prod.store.git import Author, Repository
from nb2prod.workspace.people import author_of
from tests.helpers.notebooks import code, markdown, notebook, parameters

ADA = Author(name="Ada", email="ada@example.org")
OBSERVED = parse_observation(
    json.dumps(
        {
            "python": "3.11.7",
            "pins": {"pandas": "2.2.0"},
            "local": [],
            "imports": {"pandas": ["pandas"]},
        }
    )
)
TRAIN = (
    markdown("# Seats"),
    parameters("market: str = 'JFK-DL'  # origin and carrier"),
    code("import pandas\n\nprint(market)"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Repository.create_bare(tmp_path / "seats.git").root


def propose(
    repository: Path,
    *cells: Cell,
    path: str = "train.ipynb",
    directory: str = ".",
    name: str | None = None,
    observed: ObservedEnvironment = OBSERVED,
) -> Proposal:
    return propose_content(
        repository=repository,
        notebook=notebook(*(cells or TRAIN), name="train"),
        path=path,
        directory=directory,
        environment=lambda _: observed,
        name=name,
    )


def changed(text: str) -> tuple[Cell, ...]:
    return (*TRAIN[:2], code(f"print({text!r}, market)"))


def test_confirm_into_a_bare_repository_makes_a_version_that_can_be_read(repository: Path) -> None:
    version = confirm(propose(repository, path="models/train.ipynb", directory="models"), ADA)

    assert str(version.reference) == "train@v1"
    assert (version.author, version.repository) == ("Ada", repository)
    assert version.manifest.notebook == "models/train.ipynb"
    assert version.directory_in(Path("/p")) == Path("/p/models")
    assert version.lock.text == "pandas==2.2.0\n"
    assert '"pandas"' in version.script
    assert [cell.source for cell in version_notebook(version).cells] == [c.source for c in TRAIN]
    assert load_version(repository, Reference("train")) == version
    assert sorted(path.name for path in repository.iterdir() if path.suffix == ".ipynb") == []


def test_private_notebook_runs_in_the_projects_folder(repository: Path) -> None:
    manifest = confirm(propose(repository, path="private/ada/x/train.ipynb"), ADA).manifest

    assert (manifest.notebook, manifest.directory) == ("private/ada/x/train.ipynb", ".")


def test_digest_is_that_of_the_content_and_of_nothing_else(repository: Path) -> None:
    digest = propose(repository).digest

    assert len(digest) == 64
    assert propose(repository).digest == digest
    others = [
        propose(repository, *changed("x")),
        propose(repository, name="other"),
        propose(repository, path="other/train.ipynb"),
        propose(repository, directory="other"),
        propose(
            repository,
            observed=parse_observation('{"python":"3.12.0","pins":{},"local":[],"imports":{}}'),
        ),
    ]
    assert len({digest, *(other.digest for other in others)}) == 6
    # Another's promotion gives this one another number, and the same content.
    confirm(propose(repository, *changed("other")), ADA)
    later = propose(repository)
    assert (later.digest, str(later.reference)) == (digest, "train@v2")


def test_digest_tells_apart_contents_that_are_one_text_when_joined(repository: Path) -> None:
    proposal = propose(repository)
    alike: list[dict[str, bytes]] = [
        {"a": b"x", "b": b"y"},
        {"a": b"xy", "b": b""},
        {"a": b"", "b": b"xy"},
        {"a": b"x", "c": b"y"},
        {"ab": b"xy"},
        {"a": b"x\0b\x001\0y"},
    ]

    digests = {replace(proposal, files=files).digest for files in alike}

    assert len(digests) == len(alike)
    assert replace(proposal, files={"b": b"y", "a": b"x"}).digest in digests


@pytest.mark.parametrize(
    "cells",
    [
        (*TRAIN[:2], code("print(undefined)")),
        (*TRAIN[:2], code("%pip install x")),
        (*TRAIN[:2], code("def (")),
    ],
    ids=["name-undefined", "package-install", "syntax-error"],
)
def test_blocked_proposal_has_its_parameters_and_neither_script_nor_digest(
    repository: Path, cells: tuple[Cell, ...]
) -> None:
    def never(_: str) -> ObservedEnvironment:
        raise AssertionError("the environment is not asked where nothing can be promoted")

    proposal = propose_content(
        repository=repository,
        notebook=notebook(*cells, name="train"),
        path="train.ipynb",
        directory=".",
        environment=never,
    )

    assert proposal.is_blocked
    assert [item.name for item in proposal.parameters] == ["market"]
    assert (proposal.script, proposal.digest, proposal.manifest) == ("", "", None)
    assert script_diff(proposal) == ""
    with pytest.raises(PreflightBlocked):
        confirm(proposal, ADA)
    assert Repository(repository).head() is None


def test_blocked_proposal_over_a_former_version_has_no_difference(repository: Path) -> None:
    confirm(propose(repository), ADA)

    blocked = propose(repository, *TRAIN[:2], code("print(undefined)"))

    assert script_diff(blocked) == ""
    assert not blocked.is_unchanged


def test_parameters_cell_that_is_no_python_blocks_and_has_no_parameters(repository: Path) -> None:
    proposal = propose(repository, parameters("n = = 1"), code("print(1)"))

    assert proposal.is_blocked
    assert proposal.parameters == ()


def test_script_diff_is_against_the_former_version(repository: Path) -> None:
    first = propose(repository)
    assert script_diff(first) == ""
    confirm(first, ADA)
    assert script_diff(propose(repository)) == ""

    difference = script_diff(propose(repository, *changed("new")))

    assert difference.splitlines()[:2] == ["--- train@v1", "+++ train@v2"]
    assert "-import pandas" in difference
    assert "+print('new', market)" in difference


def test_environment_is_asked_for_the_notebooks_kernel(repository: Path) -> None:
    asked = []

    def missing(kernel_name: str) -> ObservedEnvironment:
        asked.append(kernel_name)
        raise ImageMissing("no image")

    with pytest.raises(ImageMissing):
        propose_content(
            repository=repository,
            notebook=notebook(*TRAIN, name="train", kernel_name="ir"),
            path="train.ipynb",
            directory=".",
            environment=missing,
        )

    assert asked == ["ir"]


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x.ipynb", "a/../../x.ipynb", "a\nb", "a\0b", "\ud800"],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["path", "directory"])
def test_path_that_leaves_the_project_is_refused(repository: Path, field: str, path: str) -> None:
    with pytest.raises(InvalidInput, match="path"):
        propose(repository, **{field: path})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../x", "a/b", "-x", "a b", "x" * 61, "日本", "a\n"])
def test_name_that_is_none_for_a_pipeline_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(NameInvalid):
        propose(repository, name=name)


def test_unknown_pipeline_is_said_without_a_path_of_this_machine(repository: Path) -> None:
    with pytest.raises(PipelineNotFound) as absent:
        load_version(repository, Reference("absent"))

    assert str(repository.parent) not in absent.value.message
    assert "seats" in absent.value.message


def test_promotions_at_once_by_threads_lose_none(repository: Path) -> None:
    confirm(propose(repository), ADA)
    proposals = [propose(repository, *changed(str(number))) for number in range(6)]

    def confirmed(number: int) -> Version:
        return confirm(proposals[number], author_of(f"person {number}"))

    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(confirmed, range(6)))

    assert sorted(version.number for version in versions) == [2, 3, 4, 5, 6, 7]
    for number, version in enumerate(versions):
        assert version.script == proposals[number].script
        assert version.author == f"person {number}"
        assert load_version(repository, version.reference) == version


def test_same_content_at_once_is_one_version(repository: Path) -> None:
    proposal = propose(repository)

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: confirm(proposal, ADA), range(4)))

    assert {version.number for version in versions} == {1}
    assert [entry.number for entry in list_versions(repository)] == [1]


PROMOTER = """
import sys
from pathlib import Path
from nb2prod.store.git import Author
from nb2prod.registry.versions import confirm
from tests.integration.test_proposals import changed, propose
for number in range(3):
    proposal = propose(Path(sys.argv[1]), *changed(f"{sys.argv[2]} {number}"))
    confirm(proposal, Author(name=sys.argv[2], email="a@b"))
"""


def test_promotions_at_once_by_processes_lose_none(repository: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, str(repository), name], cwd=Path(__file__).parents[2]
        )
        for name in ("a", "b", "c")
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]

    entries = list_versions(repository, "train")
    assert [entry.number for entry in entries] == list(range(9, 0, -1))
    scripts = {load_version(repository, entry.reference).script for entry in entries}
    assert len(scripts) == 9
    assert sorted(entry.author for entry in entries) == sorted("abc" * 3)


def test_code_note_says_nothing_of_modules_that_a_bare_repository_cannot_have(
    repository: Path,
) -> None:
    version = confirm(propose(repository), ADA)
    module = FileUse(path="helper.py", access=FileAccess.READ, sha256="0" * 64, size_bytes=1)

    assert code_note(version, [module]) == ""
