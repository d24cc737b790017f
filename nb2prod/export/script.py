"""The versioned script: a notebook, a program and papermill's input at once (DESIGN §5.1).

The format is jupytext's ``py:percent``. Cells that are tagged as ours are made anew on writing
and left out on reading: the inline metadata (PEP 723), ``from __future__`` imports that Python
wants first, small functions in IPython's place, where the project's own modules are, and the
options of the program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nb2prod.errors import InvalidInput, MagicRefused
from nb2prod.export.assets import extract_assets
from nb2prod.export.blocks import block, restored
from nb2prod.export.dependencies import direct_dependencies, imported_modules
from nb2prod.export.options import options_source
from nb2prod.export.own_modules import OWN_MODULES
from nb2prod.export.percent import is_marker, read_cell, split_cells, write_cell
from nb2prod.export.script_header import read_header, write_header
from nb2prod.export.support import support_source
from nb2prod.export.translation import NotebookTranslation, Translation, translate_cells
from nb2prod.notebook.ipython_syntax import read_layout
from nb2prod.notebook.models import (
    INJECTED_PARAMETERS_TAG,
    PARAMETERS_TAG,
    Cell,
    Notebook,
)
from nb2prod.notebook.parameters import Parameter
from nb2prod.notebook.python_syntax import syntax_error

__all__ = [
    "ENVIRONMENT_TAG",
    "FUTURE_TAG",
    "GENERATED_TAGS",
    "MODULES_TAG",
    "OPTIONS_TAG",
    "SUPPORT_TAG",
    "extract_assets",
    "from_script",
    "to_script",
]

ENVIRONMENT_TAG = "nb2prod-environment"
FUTURE_TAG = "nb2prod-future"
SUPPORT_TAG = "nb2prod-support"
MODULES_TAG = "nb2prod-modules"
OPTIONS_TAG = "nb2prod-options"
GENERATED_TAGS = frozenset({ENVIRONMENT_TAG, FUTURE_TAG, SUPPORT_TAG, MODULES_TAG, OPTIONS_TAG})


def to_script(
    notebook: Notebook,
    parameters: Sequence[Parameter],
    *,
    distributions: Mapping[str, tuple[str, ...]] | None = None,
    has_modules: bool = False,
) -> str:
    """Write a notebook as a script.

    Equal notebooks give equal bytes, and a change in one cell changes the lines of that cell
    only, and what is generated from it.

    Parameters
    ----------
    parameters
        As `nb2prod.notebook.parameters.find_parameters` finds them.
    distributions
        Top-level module → the distributions that have it, for the inline metadata.
    has_modules
        Whether copies of the project's own modules lie beside the script, in ``modules``.

    Raises
    ------
    MagicRefused
        A cell has IPython's syntax that can't be translated; the message names the cell.
    InvalidInput
        A cell is not valid Python, or the notebook's language is another one.
    """
    if notebook.language != "python":
        raise InvalidInput(
            f"{notebook.name} is written in {notebook.language}; only Python becomes a script."
        )
    cells = [cell for cell in notebook.cells if not GENERATED_TAGS.intersection(cell.tags)]
    codes = [cell for cell in cells if cell.kind == "code" and not cell.is_left_out]
    translated = translate_cells(codes)
    _check(translated)

    dependencies = direct_dependencies(
        imported_modules(cell.source for cell in codes), distributions or {}
    )
    sources = {entry.cell.number: entry.translation.source for entry in translated.cells}
    support = support_source(translated.support)
    parts = [write_header(notebook), _code(_environment(dependencies), ENVIRONMENT_TAG)]
    first = next((cell for cell in cells if cell.kind == "code"), None)
    options_after = _options_place(codes) if parameters else None
    for cell in cells:
        if cell is first:
            future = "\n".join(translated.future)
            parts += [_code(future, FUTURE_TAG)] if future else []
            parts += [_code(support, SUPPORT_TAG)] if support else []
            parts += [_code(OWN_MODULES, MODULES_TAG)] if has_modules else []
        parts.append(_written(cell, sources.get(cell.number, "")))
        if cell is options_after:
            parts.append(_code(options_source(parameters, notebook.title), OPTIONS_TAG))
    return "\n".join(parts)


def from_script(script: str, *, name: str) -> Notebook:
    """Read a script as the notebook that it was: the author's cells, their magics too.

    Parameters
    ----------
    name
        Of the notebook.
    """
    lines = script.replace("\r\n", "\n").split("\n")
    header, start = read_header(lines)
    comments = {comment.line - 1 for comment in read_layout("\n".join(lines)).comments}
    markers = [
        number
        for number in range(start, len(lines))
        if number in comments and is_marker(lines[number])
    ]
    cells: list[Cell] = []
    for marker, content in split_cells(lines, start, markers):
        cell = read_cell(marker, content, number=len(cells) + 1, read_code=restored)
        if not GENERATED_TAGS.intersection(cell.tags):
            cells.append(cell)
    kernel_name = header.kernel_name or "python3"
    return Notebook(
        name=name,
        cells=tuple(cells),
        kernel_name=kernel_name,
        kernel_display_name=header.kernel_display_name or kernel_name,
        language=header.language or "python",
        metadata=_notebook_metadata(header.nb2prod),
    )


def _notebook_metadata(ours: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if ours is None else {"nb2prod": dict(ours)}


# Writing


def _written(cell: Cell, code: str) -> str:
    if cell.is_left_out and cell.source:
        code = "\n".join(block(cell.source.split("\n"), [], "left out"))
    return write_cell(cell, code)


def _code(source: str, tag: str) -> str:
    return f'# %% tags=["{tag}"]\n{source}\n'


def _environment(dependencies: Sequence[str]) -> str:
    listed = ["dependencies = ["]
    listed += [f"    {json.dumps(name)}," for name in dependencies]
    listed = [*listed, "]"] if dependencies else ["dependencies = []"]
    return "\n".join(
        [
            "# A notebook imports where it needs to.",
            "# ruff: noqa: E402, RUF100",
            "",
            "# /// script",
            *(f"# {line}" for line in listed),
            "# ///",
        ]
    )


def _options_place(cells: Sequence[Cell]) -> Cell | None:
    """Return the code cell after which the options come: behind values that papermill injected."""
    for number, cell in enumerate(cells):
        if PARAMETERS_TAG in cell.tags:
            follower = cells[number + 1] if number + 1 < len(cells) else cell
            return follower if INJECTED_PARAMETERS_TAG in follower.tags else cell
    return None


def _check(translated: NotebookTranslation) -> None:
    for entry in translated.cells:
        cell, translation = entry.cell, entry.translation
        for refusal in translation.refusals:
            raise MagicRefused(
                f"Cell {cell.number}, line {refusal.line}: `{refusal.text}` can't become plain"
                f" Python: {refusal.message}. {refusal.way_out}",
                cell=cell.number,
                line=refusal.line,
            )
        error = syntax_error(translation.source)
        if error is not None:
            line = _author_line(translation, error)
            raise InvalidInput(
                f"Cell {cell.number}, line {line}, is not valid Python: {error.msg}. Mend it, or"
                " make it a markdown or raw cell.",
                cell=cell.number,
                line=line,
            )


def _author_line(translation: Translation, error: SyntaxError) -> int:
    place = min(max(error.lineno or 1, 1), len(translation.lines))
    return translation.lines[place - 1]
