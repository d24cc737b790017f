"""Whether cells are valid in R or bash, by R and bash themselves: they parse, and run nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb2prod.notebook.models import Cell

TIMEOUT_S = 20

_R_PROGRAM = """
for (file in commandArgs(TRUE)) tryCatch(
  invisible(parse(file, keep.source = FALSE, encoding = "UTF-8")),
  error = function(error) cat(conditionMessage(error), sep = "\\n")
)
"""
_R_ERROR = re.compile(r"^.*?(?P<cell>\d+)\.R:(?P<line>\d+):\d+: (?P<what>.+)$", re.MULTILINE)
_BASH_ERROR = re.compile(r"^.*?: line (?P<line>\d+): (?P<what>.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntaxFault:
    """A cell that is not valid; `line` counts in the cell, from 1."""

    cell: int
    line: int
    what: str


class SyntaxUnchecked(Exception):
    """The language's program is not here, or did not answer; the text says which."""


def syntax_faults(language: str, cells: Sequence[Cell]) -> tuple[SyntaxFault, ...]:
    """Parse each cell for itself, as a kernel does.

    Raises
    ------
    SyntaxUnchecked
        Nobody could tell.
    """
    program, check = _PROGRAMS[language]
    if shutil.which(program) is None:
        raise SyntaxUnchecked(f"`{program}` is not installed here")
    try:
        return check(cells)
    except (OSError, subprocess.SubprocessError) as error:
        raise SyntaxUnchecked(f"`{program}` did not answer: {error}") from error


def _r_faults(cells: Sequence[Cell]) -> tuple[SyntaxFault, ...]:
    with tempfile.TemporaryDirectory(prefix="nb2prod-syntax-") as folder:
        files = [Path(folder) / f"{cell.number}.R" for cell in cells]
        for file, cell in zip(files, cells, strict=True):
            file.write_text(f"{cell.source}\n", encoding="utf-8")
        said = _said(["Rscript", "--vanilla", "-e", _R_PROGRAM, *map(str, files)], "")
    return tuple(
        SyntaxFault(cell=int(match["cell"]), line=int(match["line"]), what=match["what"])
        for match in _R_ERROR.finditer(said)
    )


def _bash_faults(cells: Sequence[Cell]) -> tuple[SyntaxFault, ...]:
    faults = []
    for cell in cells:
        # From its standard input it would read commands one by one, and not see the last fault.
        said = _said(["bash", "-n", "/dev/stdin"], f"{cell.source}\n")
        match = _BASH_ERROR.search(said)
        if match is not None and "warning: " not in match["what"]:
            faults.append(
                SyntaxFault(cell=cell.number, line=int(match["line"]), what=match["what"])
            )
    return tuple(faults)


def _said(command: Sequence[str], text: str) -> str:
    done = subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
        # In words that are known here, and without what a person lets each bash read.
        env={"PATH": _path(), "LC_ALL": "C.UTF-8"},
    )
    return done.stdout


def _path() -> str:
    import os

    return os.environ.get("PATH", os.defpath)


_PROGRAMS: Mapping[str, tuple[str, Callable[[Sequence[Cell]], tuple[SyntaxFault, ...]]]] = {
    "r": ("Rscript", _r_faults),
    "bash": ("bash", _bash_faults),
}
