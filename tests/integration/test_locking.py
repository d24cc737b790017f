"""Environment locks by the real uv, from a folder of wheels, without a network."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nb2prod.notebook.models import Cell
from nb2prod.registry import uv
from nb2prod.registry.lock import ObservedEnvironment, parse_observation, read_pins
from nb2prod.registry.project_files import FolderFiles, GivenFiles, ProjectFiles
from nb2prod.registry.versions import Proposal, confirm, propose_content
from nb2prod.store.git import Author, Repository
from tests.helpers.notebooks import code, notebook, parameters
from tests.helpers.wheels import make_wheel, use_wheels

ADA = Author(name="Ada", email="ada@example.org")
CELLS = (parameters("n: int = 1"), code("import alpha\n\nprint(n)"))


def observed(**pins: str) -> ObservedEnvironment:
    return parse_observation(
        json.dumps(
            {
                "python": ".".join(map(str, sys.version_info[:3])),
                "pins": pins,
                "local": [],
                "imports": {name: [name] for name in pins},
            }
        )
    )


INSTALLED = observed(alpha="1.1", beta="2.0", ipykernel="7.0")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    uv.resolve_afresh()
    folder = tmp_path / "wheels"
    for version in ("1.0", "1.1", "1.2"):
        make_wheel(folder, "alpha", version, ["beta>=2"])
    make_wheel(folder, "beta", "2.0")
    make_wheel(folder, "beta", "3.0")
    use_wheels(monkeypatch, folder)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "seats").mkdir()
    return tmp_path / "seats"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Repository.create_bare(tmp_path / "seats.git").root


def propose(
    repository: Path,
    files: ProjectFiles | None,
    *cells: Cell,
    environment: ObservedEnvironment = INSTALLED,
    name: str = "train",
) -> Proposal:
    return propose_content(
        repository=repository,
        notebook=notebook(*(cells or CELLS), name=name),
        path=f"models/{name}.ipynb",
        directory="models",
        environment=lambda _: environment,
        project=files,
    )


def lock_of(proposal: Proposal, name: str = "train") -> str:
    return proposal.files[f"pipelines/{name}/requirements.lock"].decode()


def findings(proposal: Proposal) -> dict[str, str]:
    return {finding.code: finding.message for finding in proposal.findings}


def digest(wheel: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("kind", ["requirements", "pyproject", "given"])
def test_declared_environment_is_locked_with_hashes_as_it_is_installed(
    repository: Path, root: Path, wheels: Path, kind: str
) -> None:
    if kind == "pyproject":
        (root / "pyproject.toml").write_text(
            '[project]\nname = "seats"\nversion = "1"\ndependencies = ["alpha>=1"]\n'
        )
    else:
        (root / "requirements.txt").write_text("alpha>=1  # ours\n")
    files: ProjectFiles = FolderFiles(root=root, is_own=kind == "pyproject")
    if kind == "given":
        files = GivenFiles(contents={"requirements.txt": b"alpha>=1"})

    proposal = propose(repository, files)

    # What is installed fits, so that the lock is what the results were made with.
    assert lock_of(proposal) == (
        f"alpha==1.1 \\\n    {digest(wheels / 'alpha-1.1-py3-none-any.whl')}\n"
        f"beta==2.0 \\\n    {digest(wheels / 'beta-2.0-py3-none-any.whl')}\n"
    )
    version = confirm(proposal, ADA)
    assert not version.lock.is_observed
    assert not version.manifest.lock_is_observed
    assert version.lock.declared_in == (
        "pyproject.toml" if kind == "pyproject" else "requirements.txt"
    )
    assert not {code for code in findings(proposal) if code.startswith(("environment", "import"))}
    assert str(wheels) not in lock_of(proposal)


def test_lock_installs_what_it_says_by_hash(
    repository: Path, root: Path, wheels: Path, tmp_path: Path
) -> None:
    (root / "requirements.txt").write_text("alpha\n")
    lock = tmp_path / "requirements.lock"
    lock.write_text(lock_of(propose(repository, FolderFiles(root=root))))
    target = tmp_path / "target"

    program = uv.find_uv()
    assert program is not None
    command = [str(program), "pip", "install", "--target", str(target), "--require-hashes"]
    subprocess.run(
        [*command, "--python", sys.executable, "--requirement", str(lock)],
        check=True,
        capture_output=True,
    )

    assert (target / "alpha.py").read_text() == "VERSION = '1.1'\n"


def test_release_of_a_package_makes_no_new_version(
    repository: Path, root: Path, wheels: Path
) -> None:
    (root / "requirements.txt").write_text("alpha>=1.1\n")
    files = FolderFiles(root=root)
    first = confirm(propose(repository, files), ADA)
    make_wheel(wheels, "alpha", "1.9", ["beta>=2"])
    uv.resolve_afresh()
    newer = observed(alpha="1.9", beta="3.0")

    again = propose(repository, files, environment=newer)
    other = propose(repository, files, environment=newer, name="score")

    assert again.is_unchanged
    assert confirm(again, ADA) == first
    # All pipelines of a project have one environment, as long as it declares the same.
    assert lock_of(other, "score") == first.lock.text
    assert "alpha 1.9 (locked: 1.1)" in findings(other)["environment-differs"]


def test_changed_declaration_keeps_what_still_fits(
    repository: Path, root: Path, wheels: Path
) -> None:
    (root / "requirements.txt").write_text("alpha>=1.1\n")
    first = confirm(propose(repository, FolderFiles(root=root)), ADA)
    (root / "requirements.txt").write_text("alpha>=1.1\nbeta>=3\n")

    second = confirm(propose(repository, FolderFiles(root=root)), ADA)

    assert read_pins(first.lock) == {"alpha": "1.1", "beta": "2.0"}
    assert read_pins(second.lock) == {"alpha": "1.1", "beta": "3.0"}
    assert (first.number, second.number) == (1, 2)


def test_up_to_date_uv_lock_is_the_lock(
    repository: Path, root: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[project]\nname = "seats"\nversion = "1"\nrequires-python = ">=3.11"\n'
    (root / "pyproject.toml").write_text(
        f'{text}dependencies = ["alpha"]\n'
        '[dependency-groups]\ntrain = ["beta<3"]\n[tool.nb2prod]\nenvironment = "train"\n'
    )
    program = uv.find_uv()
    assert program is not None
    subprocess.run([str(program), "lock", "--quiet"], cwd=root, check=True)
    before = (root / "uv.lock").read_bytes()
    monkeypatch.setenv("UV_OFFLINE", "1")

    for is_own in (True, False):
        proposal = propose(repository, FolderFiles(root=root, is_own=is_own))

        pins = read_pins(confirm(proposal, ADA).lock)
        assert pins == {"alpha": "1.2", "beta": "2.0"}
        assert "alpha 1.1 (locked: 1.2)" in findings(proposal)["environment-differs"]
        assert (root / "uv.lock").read_bytes() == before
    assert "http" not in lock_of(proposal)
    assert str(root) not in lock_of(proposal)


def test_uv_lock_that_is_too_old_is_said(repository: Path, root: Path, wheels: Path) -> None:
    text = '[project]\nname = "seats"\nversion = "1"\nrequires-python = ">=3.11"\n'
    (root / "pyproject.toml").write_text(f'{text}dependencies = ["beta"]\n')
    program = uv.find_uv()
    assert program is not None
    subprocess.run([str(program), "lock", "--quiet"], cwd=root, check=True)
    (root / "pyproject.toml").write_text(f'{text}dependencies = ["alpha"]\n')

    proposal = propose(repository, FolderFiles(root=root, is_own=True))

    assert "run `uv lock`" in findings(proposal)["environment-not-locked"]
    assert confirm(proposal, ADA).lock.is_observed


def test_requirements_that_are_a_lock_already_need_no_uv(
    repository: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uv, "find_uv", lambda: None)
    (root / "requirements.txt").write_text(
        f"--index-url https://packages.example/simple\n"
        f"beta==2.0 --hash=sha256:{'b' * 64}\n"
        f"alpha==1.1 \\\n    --hash=sha256:{'a' * 64}  # via us\n"
    )

    proposal = propose(repository, FolderFiles(root=root, is_own=True))

    assert lock_of(proposal) == (
        f"alpha==1.1 \\\n    --hash=sha256:{'a' * 64}\nbeta==2.0 \\\n    --hash=sha256:{'b' * 64}\n"
    )
    assert not proposal.manifest or not proposal.manifest.lock_is_observed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha>=99", "alpha"),
        ("absent-package", "absent-package"),
        ("alpha\n-r other.txt", "-r other.txt"),
        ("alpha\nwhat is this", "what is this"),
        ("# nothing", "names no packages"),
        ("alpha @ https://example.org/alpha.whl", "leads elsewhere"),
        ("alpha\n--extra-index-url https://packages.example", "leads elsewhere"),
    ],
)
def test_declaration_that_cannot_be_locked_is_said_and_breaks_nothing(
    repository: Path, root: Path, wheels: Path, text: str, words: str
) -> None:
    (root / "requirements.txt").write_text(text)

    proposal = propose(repository, FolderFiles(root=root))

    assert words in findings(proposal)["environment-not-locked"]
    version = confirm(proposal, ADA)
    assert version.lock.is_observed
    assert version.lock.text == INSTALLED.lock.text


@pytest.mark.parametrize("fault", ["absent", "slow", "broken"])
def test_uv_that_does_not_answer_is_said_and_breaks_nothing(
    repository: Path,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\nexec sleep 60\n" if fault == "slow" else "not a program")
    program.chmod(0o755 if fault == "slow" else 0o644)
    monkeypatch.setattr(uv, "find_uv", lambda: None if fault == "absent" else program)
    monkeypatch.setattr(uv, "TIMEOUT_S", 1)
    uv.resolve_afresh()
    (root / "requirements.txt").write_text("alpha\n")

    proposal = propose(repository, FolderFiles(root=root))

    said = {"absent": "pip install uv", "slow": "within 1 seconds", "broken": "can't be started"}
    assert said[fault] in findings(proposal)["environment-not-locked"]
    assert confirm(proposal, ADA).lock.is_observed


def test_imports_that_the_lock_does_not_cover_are_named_with_their_place(
    repository: Path, root: Path, wheels: Path
) -> None:
    (root / "requirements.txt").write_text("beta\n")
    (root / "models").mkdir()
    (root / "models/helpers.py").write_text("import gamma\n")
    cells = (
        parameters("n: int = 1"),
        code(
            "import json\nimport alpha\ntry:\n    import torch\nexcept ImportError:\n"
            "    torch = None\nimport helpers\nfrom IPython.display import display"
        ),
        code("import delta.inner\nprint(n)"),
    )

    proposal = propose(repository, FolderFiles(root=root), *cells)

    found = [item for item in proposal.findings if item.code == "import-not-covered"]
    assert [(item.message.split("`")[1], item.cell, item.line) for item in found] == [
        ("gamma", None, None),
        ("alpha", 2, 2),
        ("delta", 3, 1),
    ]
    assert "models/helpers.py" in found[0].message


def test_without_the_projects_files_what_is_missing_is_said(repository: Path) -> None:
    proposal = propose(repository, None, CELLS[0], code("import helpers\nprint(n)"))

    assert "can't be read here" in findings(proposal)["local-modules-not-kept"]
    assert "environment-observed" in findings(proposal)
