"""Kernels of R and bash for tests: what must be there, and notebooks for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from nb2prod.notebook.models import Cell, Notebook
from tests.helpers.notebooks import notebook

R_KERNEL, BASH_KERNEL = "ir", "bash"
_NAMES = {"r": (R_KERNEL, "R"), "bash": (BASH_KERNEL, "Bash")}


def require_r() -> None:
    """Skip the test where R or its kernel is not installed; in CI it fails.

    It installs nothing: `scripts/system.sh r` does, before the tests.
    """
    if not _has_r():
        missing = "R or its package IRkernel is not installed: scripts/system.sh r"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@cache
def _has_r() -> bool:
    if shutil.which("Rscript") is None:
        return False
    command = ["Rscript", "--vanilla", "-e", 'loadNamespace("IRkernel")']
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def write_kernelspecs(folder: Path) -> Path:
    """Write kernelspecs of both; the folder is one for JUPYTER_PATH. Nobody's home is touched."""
    specs = {
        R_KERNEL: ["R", "--no-echo", "-e", "IRkernel::main()", "--args", "{connection_file}"],
        BASH_KERNEL: [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"],
    }
    for language, (name, display_name) in _NAMES.items():
        path = folder / "kernels" / name / "kernel.json"
        path.parent.mkdir(parents=True)
        spec = {
            "argv": specs[name],
            "display_name": display_name,
            "language": "R" if language == "r" else language,
            "env": {"PS1": "$"} if language == "bash" else {},
        }
        path.write_text(json.dumps(spec))
    return folder


def notebook_in(language: str, *cells: Cell, name: str = "train") -> Notebook:
    """A notebook in ``r`` or ``bash``, with the kernel of `write_kernelspecs`."""
    kernel_name, display_name = _NAMES[language]
    return notebook(
        *cells,
        name=name,
        language=language,
        kernel_name=kernel_name,
        kernel_display_name=display_name,
    )


def write_notebook_in(language: str, path: Path, *cells: Cell) -> Path:
    """Write such a notebook as a file, with metadata as its kernel writes them."""
    from nb2prod.notebook.reading import to_node

    node = to_node(notebook_in(language, *cells))
    path.write_text(json.dumps(node, indent=1, ensure_ascii=False))
    return path
