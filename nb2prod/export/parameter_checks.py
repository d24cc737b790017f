"""What is wrong with the parameters of a notebook, or which ones it could have."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from nb2prod.export.checked_notebook import CheckedCell, CheckedNotebook, cells_to_check
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.languages import PYTHON, Language, language_named
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG, PARAMETERS_TAG, Cell, Notebook
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.python_syntax import parse
from nb2prod.notebook.scopes import stored_names

# How many cells from the top may hold what could be parameters.
_TOP_CELLS = 5


def parameters(notebook: Notebook) -> Iterator[Finding]:
    """Find parameters cells that are missing or too many, and names in them that are none."""
    cells = cells_to_check(notebook)
    for cell in cells:
        if INJECTED_PARAMETERS_TAG in cell.tags:
            message = "The cell holds the parameters of an earlier run by papermill."
            yield finding("parameters-injected", message, cell=cell.number)
    tagged = [cell for cell in notebook.code_cells if PARAMETERS_TAG in cell.tags]
    if not tagged:
        yield _without_parameters(cells, language_named(notebook.language))
        return
    for cell in tagged[1:]:
        message = f"The cell is tagged `parameters`, as cell {tagged[0].number} is."
        yield finding("parameters-several", message, cell=cell.number)
    for skipped in find_parameters(notebook).skipped:
        # Of a cell in Python that is not valid another finding tells.
        if skipped.name or notebook.language != PYTHON.key:
            subject = f"`{skipped.name}` is no parameter" if skipped.name else "There are none"
            message = f"{subject}: {skipped.why}."
            number = tagged[0].number
            yield finding("parameter-skipped", message, cell=number, line=skipped.line)


def reassigned_parameters(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find parameters that a later cell assigns again, without a look at their value."""
    scan = find_parameters(checked.notebook)
    names = {parameter.name for parameter in scan.parameters}
    for entry in checked.cells:
        is_later = scan.cell_number is not None and entry.number > scan.cell_number
        if not is_later or {PARAMETERS_TAG, INJECTED_PARAMETERS_TAG} & set(entry.cell.tags):
            continue
        lost = names & entry.names.defined - entry.names.reads
        for name in sorted(lost, key=lambda name: (_line(entry, name), name)):
            names.discard(name)
            yield finding(
                "parameter-reassigned",
                f"The parameter `{name}` is assigned here again, so that the value given to a run"
                " is lost.",
                cell=entry.number,
                line=entry.author_line(_line(entry, name)),
            )


def _line(entry: CheckedCell, name: str) -> int:
    """Return the line of the script's cell on which a name is bound."""
    for statement in entry.tree.body:
        if name in stored_names(statement):
            return statement.lineno
    return 1


def _without_parameters(cells: Sequence[Cell], language: Language) -> Finding:
    message = "No cell is tagged `parameters`, so every run is the same."
    for cell in cells[:_TOP_CELLS]:
        found, _ = language.scan(cell.source)
        if found:
            names = ", ".join(f"`{parameter.name}`" for parameter in found[:8])
            way_out = (
                f"Tag cell {cell.number} `parameters`; it assigns {names}."
                if language is PYTHON and _only_assigns(cell.source)
                else f"Move what changes from run to run, such as {names} of cell {cell.number},"
                " into a cell of its own, and tag it `parameters`."
            )
            return finding("parameters-missing", message, way_out=way_out)
    return finding("parameters-missing", message)


def _only_assigns(source: str) -> bool:
    try:
        statements = parse(source).body
    except SyntaxError:
        return False
    return all(isinstance(node, ast.Assign | ast.AnnAssign) for node in statements)
