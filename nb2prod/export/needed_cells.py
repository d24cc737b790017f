"""Cells and who needs them: those that are left out but needed, those that nobody needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nb2prod.export.checked_notebook import CheckedCell, CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.cell_names import BUILTIN_NAMES
from nb2prod.notebook.dataflow import CellNames, cell_names
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG, PARAMETERS_TAG, Cell

_SHOWN = 5
# Builtins that do nothing but return something.
_PURE = frozenset(
    {"abs", "all", "any", "bool", "bytes", "complex", "dict", "divmod", "enumerate", "float",
     "frozenset", "hash", "int", "isinstance", "issubclass", "len", "list", "max", "min", "object",
     "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum",
     "tuple", "type", "zip"}
) & BUILTIN_NAMES  # fmt: skip
_QUIET_STATEMENTS = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.Pass, ast.If, ast.For, ast.While,
)  # fmt: skip


def needed_though_left_out(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find cells that are left out of the script, though later cells need what they do.

    That is a name that they define, or an object that they change.
    """
    modules = set(checked.known.imported)
    for cell in checked.notebook.code_cells:
        if not cell.is_left_out:
            continue
        names = cell_names(cell.source)
        # `np.insert(…)` changes no module.
        done = names.defined | names.deleted | (names.mutated - modules)
        needed = _needed_later(checked, cell, done)
        if needed:
            shown = ", ".join(f"`{name}`" for name, _ in needed[:_SHOWN])
            more = f" and {len(needed) - _SHOWN} more" if len(needed) > _SHOWN else ""
            does = "defines" if needed[0][0] in names.defined else "changes"
            yield finding(
                "left-out-needed",
                f"The cell is left out of the script, and {does} {shown}{more}, which"
                f" cell {needed[0][1]} needs.",
                cell=cell.number,
            )


def dead_cells(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find cells that define what no other cell reads, show nothing, and do nothing else."""
    if any(entry.names.may_use_anything for entry in checked.cells):
        return
    for entry in checked.cells:
        if not _is_quiet(entry):
            continue
        defined = entry.names.defined
        others = (other for other in checked.cells if other is not entry)
        if defined and not any(defined & _reads(other.names) for other in others):
            shown = ", ".join(f"`{name}`" for name in sorted(defined)[:_SHOWN])
            yield finding(
                "cell-dead",
                f"No other cell reads {shown}, and nothing is shown.",
                cell=entry.number,
            )


def _needed_later(
    checked: CheckedNotebook, cell: Cell, done: frozenset[str]
) -> list[tuple[str, int]]:
    """Return the names that later cells read before they define them, with their first reader."""
    open_names = set(done)
    found: dict[str, int] = {}
    for entry in checked.cells:
        if entry.number > cell.number and open_names:
            for name in sorted(open_names & _reads(entry.names)):
                found.setdefault(name, entry.number)
            # A name that is bound anew is another thing from here on.
            open_names -= entry.names.defined
    return sorted(found.items(), key=lambda item: item[1])


def _reads(names: CellNames) -> frozenset[str]:
    return names.reads.union(*names.functions.values())


def _is_quiet(entry: CheckedCell) -> bool:
    """Whether a cell does nothing but define names, as far as its text tells."""
    is_special = {PARAMETERS_TAG, INJECTED_PARAMETERS_TAG} & set(entry.cell.tags)
    if is_special or entry.cell.outputs or entry.escapes or not entry.tree.body:
        return False
    # Lines for nbdev or quarto: somebody else needs the cell.
    if entry.cell.source.lstrip().startswith("#|"):
        return False
    if entry.names.mutated or entry.names.deleted:
        return False
    return all(map(_is_quiet_statement, entry.tree.body))


def _is_quiet_statement(statement: ast.stmt) -> bool:
    if not isinstance(statement, _QUIET_STATEMENTS):
        return False
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        # What its body does happens when it is called; a decorator may register it somewhere.
        return not statement.decorator_list
    if isinstance(statement, ast.ClassDef):
        return not (statement.decorator_list or statement.keywords or statement.bases)
    return not any(_acts(node) for node in ast.walk(statement))


def _acts(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Name) and node.func.id in _PURE)
    return isinstance(
        node, ast.Import | ast.ImportFrom | ast.Expr | ast.Raise | ast.Assert | ast.With | ast.Await
    )
