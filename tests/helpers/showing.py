"""What cells show: in a real kernel, and as a script by plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.helpers.notebooks import KERNEL_NAME

TIMEOUT_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What was shown, as text, and the name of the exception that ended it."""

    text: str
    error: str = ""


def shown_by_kernel(sources: Sequence[str], folder: Path) -> Shown:
    """Run cells in a fresh kernel."""
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])
    client = NotebookClient(
        node,
        kernel_name=KERNEL_NAME,
        timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
    )
    error = ""
    try:
        client.execute()
    except CellExecutionError as raised:
        error = raised.ename
    outputs = [output for cell in node.cells for output in cell.outputs]
    return Shown(text="".join(map(_text_of, outputs)), error=error)


def shown_by_script(script: str, folder: Path, **environment: str) -> Shown:
    """Run a script by plain Python, with nobody to answer it."""
    path = folder / "example.py"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=TIMEOUT_S,
        check=False,
    )
    if not done.returncode:
        return Shown(text=done.stdout)
    last = done.stderr.strip().splitlines()[-1:]
    return Shown(text=done.stdout, error="".join(last).partition(":")[0])


def _text_of(output: Any) -> str:
    if output["output_type"] == "stream":
        return str(output["text"]) if output["name"] == "stdout" else ""
    if output["output_type"] == "error":
        return ""
    return f"{output['data'].get('text/plain', '')}\n"
