"""The commands on versions, as a person types them: diff and checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nb2prod.notebook.models import Cell
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.diff import ParameterChange
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import confirm, load_version, propose
from nb2prod.store.git import Repository
from tests.helpers.notebooks import code, markdown, parameters, write_notebook

COMMAND = [sys.executable, "-m", "nb2prod.cli"]
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TEXT = markdown(
    "# Seats\n\n![map](attachment:map.png)", attachments={"map.png": {"image/png": PICTURE}}
)
LOAD = code("import helpers\n\nseats = helpers.seats(days)\nseats")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository.create(tmp_path / "seats")
    monkeypatch.chdir(repository.root)
    (repository.root / "helpers.py").write_text("def seats(days):\n    return days * 100\n")
    promote(repository, TEXT, parameters("days: int = 2"), LOAD, code("print('seats', seats)"))
    return repository


def promote(repository: Repository, *cells: Cell, **metadata: Any) -> None:
    path = write_notebook(repository.root / "train.ipynb", *cells, metadata=metadata or None)
    confirm(propose(path))


def promote_second(repository: Repository) -> None:
    (repository.root / "helpers.py").write_text("def seats(days):\n    return days * 150\n")
    promote(
        repository,
        TEXT,
        parameters("days: int = 3"),
        code("print('first things first')"),
        LOAD,
        code("print('seats are', seats)"),
        nb2prod={"timeout_s": 60},
    )


def nb2prod(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_diff_tells_of_cells_parameters_settings_modules_and_results(
    repository: Repository,
) -> None:
    promote_second(repository)
    for version in ("train@v1", "train@v2"):
        assert nb2prod("run", version, "-p", "days=2").returncode == 0

    shown = nb2prod("diff", "train", "v1", "v2").stdout
    answer = json.loads(nb2prod("diff", "train@v1", "train@v2", "--json").stdout)

    for words in (
        "changed code cell 2: days: int = 3",
        "added code cell 3: print('first things first')",
        "changed code cell 4, now 5: print('seats are', seats)",
        "-print('seats', seats)",
        "parameter days: int = 2 → int = 3",
        "setting timeout_s: None → 60.0",
        "own module helpers.py: changed",
        "+    return days * 150",
        "cell 3, now 4 shows something else",
        "-200",
        "+300",
        "+seats are 300",
    ):
        assert words in shown
    assert "Seats" not in shown
    assert [item["kind"] for item in answer["cells"]["changes"]] == ["changed", "added", "changed"]
    assert [item["path"] for item in answer["modules"]] == ["helpers.py"]
    assert [item["after"] for item in answer["results"]["outputs"]] == [4, 5]
    assert "@@" in nb2prod("diff", "train", "1", "2", "--script").stdout


def test_diff_without_runs_compares_what_there_is(repository: Repository) -> None:
    promote_second(repository)

    answer = json.loads(nb2prod("diff", "train", "v2", "v1", "--json").stdout)
    same = nb2prod("diff", "train@v1", "train@v1")
    wrong = nb2prod("diff", "train@v1")

    assert answer["results"] is None
    assert (answer["before"], answer["after"]) == ("train@v2", "train@v1")
    assert "do not differ" in same.stdout
    assert wrong.returncode != 0
    assert "train v2 v3" in wrong.stderr


def test_diff_says_that_only_a_help_text_or_what_was_generated_differs(
    repository: Repository,
) -> None:
    promote_second(repository)
    second = load_version(repository.root, Reference("train", 2))
    days = second.manifest.parameters[0]
    change = ParameterChange(name="days", before=days, after=replace(days, help="of the week"))
    proposal = propose(repository.root / "train.ipynb")
    script = second.script.replace("# A notebook imports", "# Every notebook imports")
    files = {**proposal.files, "pipelines/train/train.py": script.encode()}
    confirm(replace(proposal, files=files))

    shown = nb2prod("diff", "train", "v2", "v3").stdout

    assert change.texts == (
        f"int = {days.default}  # {days.help}",
        f"int = {days.default}  # of the week",
    )
    assert "The cells are the same" in shown


def test_checkout_gives_back_the_notebook_with_its_pictures(repository: Repository) -> None:
    promote_second(repository)

    done = nb2prod("checkout", "train@v1")

    assert done.returncode == 0, done.stderr
    assert "git show" in done.stdout
    notebook = read_notebook(repository.root / "train-v1.ipynb")
    assert [cell.source for cell in notebook.cells] == [
        TEXT.source,
        "days: int = 2",
        LOAD.source,
        "print('seats', seats)",
    ]
    assert notebook.cells[0].attachments == TEXT.attachments
    assert notebook.cells[1].tags == ("parameters",)


def test_checkout_writes_over_nothing_else_unless_it_is_told_to(repository: Repository) -> None:
    target = repository.root / "old.ipynb"
    to = ("checkout", "train@v1", "--to", str(target))
    first = json.loads(nb2prod(*to, "--json").stdout)
    again = json.loads(nb2prod(*to, "--json").stdout)
    content = target.read_bytes()
    target.write_text("mine")

    refused = nb2prod(*to)

    assert (first["is_new"], again["is_new"]) == (True, False)
    assert refused.returncode != 0
    assert "--force" in refused.stderr
    assert target.read_text() == "mine"
    assert nb2prod(*to, "--force").returncode == 0
    assert target.read_bytes() == content
    assert [path.name for path in repository.root.iterdir() if "partial" in path.name] == []


def test_checked_out_notebook_promotes_to_the_same_version(repository: Repository) -> None:
    before = repository.head()
    nb2prod("checkout", "train@v1", "--to", "train.ipynb", "--force")

    assert propose(repository.root / "train.ipynb").is_unchanged
    assert repository.head() == before
