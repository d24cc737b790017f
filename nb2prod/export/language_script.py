"""Scripts of notebooks in other languages than Python: jupytext's percent format, and no more.

The author's code stands in the script as it is; nothing has to be translated. Such a script is a
notebook, papermill's input, and a program (`Rscript train.R`, `bash train.sh`) that runs with the
values of its parameters cell.
"""

from __future__ import annotations

from collections.abc import Iterator

from nb2prod.errors import InvalidInput
from nb2prod.export.blocks import BEGIN, escaped, unescaped
from nb2prod.export.percent import is_marker, read_cell, split_cells, write_cell
from nb2prod.export.script_header import ScriptHeader, write_header
from nb2prod.notebook.languages import language_named
from nb2prod.notebook.models import Cell, Notebook
from nb2prod.notebook.plain_parameters import Unreadable


def to_language_script(notebook: Notebook) -> str:
    """Write a notebook as a script in its own language.

    Equal notebooks give equal bytes, and a change in one cell changes the lines of that cell only.

    Raises
    ------
    InvalidInput
        A cell has a line that would begin a cell of the script, and is no comment; or it is not
        valid in its language; or the language is none that becomes a script.
    """
    return "\n".join(
        [write_header(notebook), *(_written(cell, notebook) for cell in notebook.cells)]
    )


def from_language_script(script: str, header: ScriptHeader, start: int, *, name: str) -> Notebook:
    """Read a script as the notebook that it was.

    Parameters
    ----------
    header, start
        As `nb2prod.export.script_header.read_header` returns them.
    """
    lines = script.replace("\r\n", "\n").split("\n")
    # A line in a text or a here-document that looks so was refused on writing.
    markers = [number for number in range(start, len(lines)) if is_marker(lines[number])]
    cells = (
        read_cell(marker, content, number=number, read_code=_author_code)
        for number, (marker, content) in enumerate(split_cells(lines, start, markers), start=1)
    )
    language = header.language or ""
    kernel_name = header.kernel_name or language
    return Notebook(
        name=name,
        cells=tuple(cells),
        kernel_name=kernel_name,
        kernel_display_name=header.kernel_display_name or kernel_name,
        language=language.lower(),
        metadata={} if header.nb2prod is None else {"nb2prod": dict(header.nb2prod)},
    )


def _written(cell: Cell, notebook: Notebook) -> str:
    if cell.kind != "code":
        return write_cell(cell, "")
    lines = cell.source.split("\n") if cell.source else []
    if cell.is_left_out:
        return write_cell(cell, "\n".join(f"{BEGIN} {line}" if line else BEGIN for line in lines))
    code = [escaped(line) for line in lines]
    _check(cell, lines, code, notebook)
    return write_cell(cell, "\n".join(code))


def _check(cell: Cell, lines: list[str], code: list[str], notebook: Notebook) -> None:
    """Refuse lines that would have to be changed, and are more than a comment."""
    changed = [number for number, line in enumerate(lines, start=1) if line != code[number - 1]]
    if not changed:
        return
    language = language_named(notebook.language)
    try:
        comments = language.comment_lines(cell.source)
    except Unreadable as error:
        raise InvalidInput(
            f"Cell {cell.number}, line {error.line}, is not valid {language.name}: {error}. Mend"
            " it, or make it a markdown or raw cell.",
            cell=cell.number,
            line=error.line,
        ) from error
    for number in changed:
        if number not in comments:
            raise InvalidInput(
                f"Cell {cell.number}, line {number}: `{lines[number - 1].strip()}` stands in a"
                " text, and would begin a cell of the script. Write the line in another way.",
                cell=cell.number,
                line=number,
            )


def _author_code(code: str) -> str:
    return "\n".join(_author_lines(code))


def _author_lines(code: str) -> Iterator[str]:
    for line in code.split("\n"):
        if line.startswith(BEGIN):
            yield line.removeprefix(BEGIN).removeprefix(" ")
        else:
            yield unescaped(line)
