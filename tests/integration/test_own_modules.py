"""A version's copies of the project's own modules, in real kernels and as a program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nb2prod.errors import NotAVersion
from nb2prod.execution.collect import read_history
from nb2prod.execution.models import RunRequest, RunStatus
from nb2prod.execution.own_modules import lay_out
from nb2prod.execution.recorder import run_folder
from nb2prod.execution.request import prepare_folder
from nb2prod.execution.run import run_version
from nb2prod.execution.runs import request_run
from nb2prod.execution.worker import execute_folder
from nb2prod.notebook.models import Cell
from nb2prod.registry.models import Version
from nb2prod.registry.remote_promotion import SentNotebook
from nb2prod.registry.versions import confirm, propose
from nb2prod.settings import WorkerSettings
from tests.helpers.kernels import Bench, open_bench
from tests.helpers.notebooks import code, parameters, write_notebook

USES = code(
    "import helpers\nfrom models.lags import lags\n\nprint(helpers.greet(name), lags(), __name__)"
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def write_modules(root: Path, greeting: str) -> None:
    write(root, "helpers.py", f"def greet(name):\n    return f'{greeting} {{name}}'\n")
    write(root, "models/__init__.py", "")
    write(root, "models/lags.py", "from .base import LAG\n\n\ndef lags():\n    return LAG\n")
    write(root, "models/base.py", f"LAG = {len(greeting)}\n")


def promote(bench: Bench, *cells: Cell, folder: str = ".") -> Version:
    path = bench.repository.root / folder / "train.ipynb"
    path.parent.mkdir(exist_ok=True)
    return confirm(propose(write_notebook(path, parameters("name: str = 'Ada'"), *cells)))


def run(bench: Bench, version: Version) -> tuple[str, tuple[str, ...]]:
    record = run_version(bench.workspace, bench.project, version, {})
    assert record.status is RunStatus.SUCCEEDED, record.reason
    return bench.printed(record), record.notes


def test_run_of_an_old_version_uses_the_modules_that_it_was_promoted_with(bench: Bench) -> None:
    write_modules(bench.repository.root, "Hello")
    old = promote(bench, USES)
    write_modules(bench.repository.root, "Goodbye")
    new = promote(bench, USES)

    assert (old.number, new.number) == (1, 2)
    assert sorted(old.modules) == [
        "helpers.py",
        "models/__init__.py",
        "models/base.py",
        "models/lags.py",
    ]
    printed, notes = run(bench, old)
    assert printed == "Hello Ada 5 __main__\n"
    assert run(bench, new)[0] == "Goodbye Ada 7 __main__\n"
    (said,) = [note for note in notes if "own copy" in note]
    assert "helpers.py" in said
    assert "models/lags.py" in said
    # Not even a file that is gone is missed.
    (bench.repository.root / "helpers.py").unlink()
    assert run(bench, old)[0] == "Hello Ada 5 __main__\n"


def test_copies_come_before_what_a_cell_puts_first_into_the_path(bench: Bench) -> None:
    root = bench.repository.root
    write(root, "shared/tools.py", "WORD = 'old'\n")
    write(root, "shared/parts/part.py", "from . import other\n\nWORD = other.WORD\n")
    write(root, "shared/parts/other.py", "WORD = 'old part'\n")
    cell = code(
        "import sys\n\nsys.path.insert(0, '../shared')\nimport tools\nimport parts.part\n"
        "print(tools.WORD, parts.part.WORD, name)"
    )
    version = promote(bench, cell, folder="notebooks")
    write(root, "shared/tools.py", "WORD = 'new'\n")
    write(root, "shared/parts/other.py", "WORD = 'new part'\n")

    assert sorted(version.modules) == ["parts/other.py", "parts/part.py", "tools.py"]
    assert run(bench, version)[0] == "old old part Ada\n"


def test_file_that_is_run_by_a_magic_is_the_versions(bench: Bench) -> None:
    root = bench.repository.root
    write(root, "prepare.py", "rows = 1\n")
    version = promote(bench, code("%run prepare.py"), code("print(rows, name)"))
    write(root, "prepare.py", "rows = 2\n")

    assert version.modules == {"prepare.py": b"rows = 1\n"}
    assert run(bench, version)[0] == "1 Ada\n"


def test_script_as_a_program_uses_the_copies_too(bench: Bench, tmp_path: Path) -> None:
    root = bench.repository.root
    write_modules(root, "Hello")
    version = promote(bench, USES)
    write_modules(root, "Goodbye")

    ran = subprocess.run(
        [sys.executable, str(root / "pipelines/train/train.py"), "--name", "Eve"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert (ran.stdout, ran.stderr) == ("Hello Eve 5 __main__\n", "")
    assert "_nb2prod_own_modules" in version.script


def test_module_that_looks_where_it_lies_is_left_in_its_place(bench: Bench) -> None:
    root = bench.repository.root
    write(root, "data/rows.txt", "three")
    write(
        root,
        "helpers.py",
        "from pathlib import Path\n\nHERE = Path(__file__).parent\n"
        "ROWS = (HERE / 'data/rows.txt').read_text()\n",
    )
    cell = code("import helpers\n\nprint(helpers.ROWS, name)")
    path = write_notebook(root / "train.ipynb", parameters("name: str = 'Ada'"), cell)

    proposal = propose(path)

    codes = {finding.code: finding.message for finding in proposal.findings}
    assert "`__file__`" in codes["local-modules-not-kept"]
    assert "local-modules" not in codes
    assert run(bench, confirm(proposal))[0] == "three Ada\n"


def test_what_promotion_elsewhere_reads_goes_along_with_the_notebook(bench: Bench) -> None:
    root = bench.repository.root
    write_modules(root / "models", "Hello")
    write(root, "models/unused.py", "x = 1\n")
    write(root, "requirements.txt", "-r more.txt\n")
    write(root, "more.txt", "numpy\n")
    path = write_notebook(root / "models/train.ipynb", parameters("name: str = 'Ada'"), USES)

    sent = SentNotebook.read(path)

    assert sorted(sent.files) == [
        "models/helpers.py",
        "models/models/__init__.py",
        "models/models/base.py",
        "models/models/lags.py",
        "more.txt",
        "requirements.txt",
    ]
    elsewhere = SentNotebook.read(path, path="other/train.ipynb")
    assert "other/helpers.py" in elsewhere.files
    assert sent.body["files"]["more.txt"] == "bnVtcHkK"


def test_script_as_a_program_runs_the_copy_of_a_file(bench: Bench) -> None:
    root = bench.repository.root
    write(root, "prepare.py", "rows = 1\n")
    promote(bench, code("%run prepare"), code("print(rows, name)"))
    write(root, "prepare.py", "rows = 2\n")

    ran = subprocess.run(
        [sys.executable, "pipelines/train/train.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )

    assert (ran.stdout, ran.stderr) == ("1 Ada\n", "")


def test_worker_with_nothing_but_its_folder_has_the_copies(bench: Bench) -> None:
    write_modules(bench.repository.root, "Hello")
    version = promote(bench, USES)
    write_modules(bench.repository.root, "Goodbye")
    asked = request_run(
        bench.workspace,
        bench.project,
        version,
        {},
        request=RunRequest(by="ada", via="cli", executor="process"),
    )
    work = prepare_folder(run_folder(bench.workspace, asked.id), asked, version)

    record = execute_folder(
        work,
        project_folder=bench.repository.root,
        settings=WorkerSettings.from_environment(),
    )

    assert record.status is RunStatus.SUCCEEDED, record.reason
    executed = read_history(work).notebook
    assert executed["cells"][-1]["outputs"][0]["text"] == "Hello Ada 5 __main__\n"
    assert any("own copy of helpers.py" in note for note in read_history(work).notes)
    assert not work.own_modules.exists()


@pytest.mark.parametrize("path", ["../outside.py", "/outside.py", ""])
def test_module_that_would_lie_elsewhere_is_not_written(bench: Bench, path: str) -> None:
    version = promote(bench, code("print(name)"))
    folder = bench.repository.root.parent / "work" / "modules"

    with pytest.raises(NotAVersion, match="no module's file"):
        lay_out(replace(version, modules={path: b"x = 1"}), folder)

    assert not (folder.parent / "outside.py").exists()
