"""Kernelspecs: installed into a prefix, and resolved to a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from nb2prod_kernels import kernelspecs


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of kernelspecs that Jupyter looks into first."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share" / "jupyter"))
    folder = tmp_path / "share" / "jupyter" / "kernels"
    folder.mkdir(parents=True)
    return folder


def write(kernels: Path, name: str, *argv: str) -> None:
    (kernels / name).mkdir()
    spec = {"argv": [*argv, "{connection_file}"], "display_name": name, "language": "python"}
    (kernels / name / "kernel.json").write_text(json.dumps(spec))


def test_installed_kernelspec_runs_this_interpreter(tmp_path: Path, kernels: Path) -> None:
    folder = kernelspecs.install(prefix=tmp_path)

    assert folder == kernels / "nb2prod-python"
    spec = json.loads((folder / "kernel.json").read_text())
    assert spec["argv"][0] == sys.executable
    assert spec["metadata"] == {"debugger": True, "supported_encryption": ["curve"]}
    assert kernelspecs.interpreter_of("nb2prod-python") == Path(sys.executable)
    assert "nb2prod-python" in kernelspecs.installed()
    assert kernelspecs.install(prefix=tmp_path) == folder


@pytest.mark.parametrize("program", ["python", "python3"])
def test_plain_python_is_the_one_that_jupyter_client_would_start(
    kernels: Path, program: str
) -> None:
    write(kernels, "plain", program)

    assert kernelspecs.interpreter_of("plain") == Path(sys.executable)


def test_other_program_is_found_on_the_path(kernels: Path) -> None:
    write(kernels, "shell", "sh")

    assert kernelspecs.interpreter_of("shell").name == "sh"


def test_missing_kernel_is_said_with_those_that_are_installed(kernels: Path) -> None:
    write(kernels, "here", "sh")

    with pytest.raises(kernelspecs.NoSuchKernel, match=r"'gone' is installed\. Installed:.*here"):
        kernelspecs.interpreter_of("gone")


def test_kernel_whose_program_is_gone_is_said(kernels: Path) -> None:
    write(kernels, "old", "/nowhere/python")

    with pytest.raises(kernelspecs.NoSuchKernel, match="/nowhere/python"):
        kernelspecs.interpreter_of("old")
