"""`nb2prod check` as people, CI and pre-commit start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped] # it has no types

from nb2prod.store.git import Repository
from tests.helpers.engine import REPOSITORY
from tests.helpers.notebooks import code, parameters, write_notebook

COMMAND = [sys.executable, "-m", "nb2prod.cli"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = Repository.create(tmp_path / "seats").root
    monkeypatch.chdir(root)
    (root / "a" / ".ipynb_checkpoints").mkdir(parents=True)
    good = (parameters("alpha = 1"), code("print(alpha)"))
    write_notebook(root / "good.ipynb", *good)
    write_notebook(root / "a" / "bad.ipynb", parameters("alpha = 1"), code("print(beta)"))
    write_notebook(root / "a" / ".ipynb_checkpoints" / "bad-checkpoint.ipynb", code("y"))
    return root


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "check", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_check_of_a_folder_checks_all_its_notebooks_but_no_checkpoints(folder: Path) -> None:
    done = check(".", "--format", "json")

    assert done.returncode == 1
    answer = {entry["notebook"]: entry["is_blocked"] for entry in json.loads(done.stdout)}
    assert answer == {"a/bad.ipynb": True, "good.ipynb": False}
    assert check("good.ipynb").returncode == 0


def test_check_goes_by_the_projects_policy(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.nb2prod.findings]\nname-undefined = "note"\n')

    done = check("a/bad.ipynb")

    assert (done.returncode, done.stderr) == (0, "")
    assert "name-undefined" in done.stdout


def test_check_gives_sarif(folder: Path) -> None:
    done = check("a", "--format", "sarif")

    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert done.returncode == 1
    assert (result["ruleId"], result["properties"]) == ("name-undefined", {"cell": 2, "line": 1})


def test_check_of_an_empty_folder_or_of_no_file_is_said(folder: Path) -> None:
    (folder / "empty").mkdir()

    empty, nothing = check("empty"), check("nowhere.ipynb")

    assert empty.returncode != 0
    assert "There is no notebook in the folder empty." in empty.stderr
    assert nothing.returncode == 1
    assert "There is no file nowhere.ipynb" in nothing.stdout


def test_pre_commit_hook_stops_a_commit_of_a_notebook_that_would_be_blocked(folder: Path) -> None:
    """pre-commit appends the staged files of the hook's types to its entry."""
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split()

    assert (hook["language"], hook["types"]) == ("python", ["jupyter"])
    assert (program, arguments) == ("nb2prod", ["check"])
    script = Path(sys.executable).with_name(program)
    staged = [str(script), *arguments, "good.ipynb", "a/bad.ipynb"]
    assert subprocess.run(staged, capture_output=True, timeout=60, check=False).returncode == 1
    assert subprocess.run(staged[:-1], capture_output=True, timeout=60, check=False).returncode == 0


def test_check_imports_nothing_that_it_does_not_need(folder: Path) -> None:
    heavy = ("mlflow", "fastapi", "papermill", "nbclient", "dbos")
    program = (
        "import sys\nfrom nb2prod.cli.main import main\n"
        "sys.argv = ['nb2prod', 'check', 'good.ipynb']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"
