"""A whole notebook in plain Python, cell by cell, in the light of all its cells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nb2prod.export.cell_translation import (
    CellContext,
    Refusal,
    Translation,
    names_bound_in,
    translate,
)
from nb2prod.export.dependencies import imported_modules
from nb2prod.export.figures import drawing_cells
from nb2prod.export.shown_values import (
    Interactivity,
    interactivity_after,
    read_interactivity,
    silent_functions,
)
from nb2prod.export.support import REMEMBER
from nb2prod.notebook.dataflow import cell_names, is_ipython_name
from nb2prod.notebook.ipython_syntax import EscapeKind, find_escapes, without_ipython
from nb2prod.notebook.models import Cell
from nb2prod.notebook.python_syntax import parse, syntax_error

__all__ = [
    "CellTranslation",
    "NotebookTranslation",
    "Refusal",
    "Translation",
    "names_bound_in",
    "translate_cells",
]

# IPython's names that Python has as well, or that a script gets.
_IN_SCRIPTS = frozenset({"display", "exit", "open", "quit"})
_WAYS_OUT = {
    "get_ipython": 'Write it as a magic, or do it only `if "get_ipython" in globals():`.',
}
# Cells without any of these need not be looked at closer.
_MAY_BE_IPYTHONS = re.compile(
    r"(?<![\w.])(?:_{1,3}|_i?[0-9]+|_i{1,3}|In|Out|_dh|_ih|_oh|_exit_code|get_ipython)(?!\w)"
)
_UNDERSCORES = frozenset({"_", "__", "___"})
_NUMBERED = re.compile(r"_(?P<number>[1-9][0-9]*)\Z")
_INTERACTIVITY_OPTION = re.compile(
    r"InteractiveShell\.ast_node_interactivity\s*=\s*(?P<quote>['\"])(?P<mode>\w+)(?P=quote)"
)


@dataclass(frozen=True, kw_only=True)
class CellTranslation:
    """A code cell and what stands in its place."""

    cell: Cell
    translation: Translation


@dataclass(frozen=True, kw_only=True)
class NotebookTranslation:
    """The code cells of a notebook in plain Python.

    Parameters
    ----------
    future
        The ``from __future__`` imports that must stand at the script's top; empty where they
        stand there already.
    support
        The functions of `nb2prod.export.support` that the script needs.
    provided
        Names of IPython's that the script has as well: ``display``, and ``_``, ``Out``, ``_3``
        where the notebook reads them.
    """

    cells: tuple[CellTranslation, ...]
    future: tuple[str, ...]
    support: frozenset[str]
    provided: frozenset[str]


def translate_cells(cells: Sequence[Cell]) -> NotebookTranslation:
    """Translate the code cells of a notebook, given in their order."""
    sources = [cell.source for cell in cells]
    trees = [_tree(source) for source in sources]
    known = [tree for tree in trees if tree is not None]
    names = frozenset().union(*map(names_bound_in, sources))
    silent, draws, history = silent_functions(known), drawing_cells(trees), _history(cells)
    set_ups = _set_ups(imported_modules(sources), is_drawing=any(draws))
    future = _future_imports(trees)

    def translations(*, hoists: bool) -> list[Translation]:
        modes = _modes(sources, trees)
        return [
            translate(
                source,
                CellContext(
                    names=names,
                    hoists_future=hoists,
                    interactivity=mode,
                    silent=silent,
                    draws=draws[index],
                    remembered=history.remembered.get(index, ()),
                    is_first=not any(map(str.strip, sources[:index])),
                ),
            )
            for index, (source, mode) in enumerate(zip(sources, modes, strict=True))
        ]

    translated = translations(hoists=False)
    support = set_ups.union(*(translation.support for translation in translated))
    if any(map(_shows, sources)) and "display" not in names:
        support |= {"display"}
    if history.provided:
        support |= {REMEMBER}
    if future and (support or not _is_first(translated, trees)):
        translated = translations(hoists=True)
    else:
        future = ()
    provided = history.provided | _IN_SCRIPTS
    return NotebookTranslation(
        cells=tuple(
            CellTranslation(cell=cell, translation=translation)
            for cell, translation in zip(cells, _refusing(translated, provided), strict=True)
        ),
        future=future,
        support=support,
        provided=provided,
    )


def _tree(source: str) -> ast.Module | None:
    try:
        return parse(without_ipython(source))
    except SyntaxError:
        return None


def _modes(sources: Sequence[str], trees: Sequence[ast.Module | None]) -> Iterator[Interactivity]:
    """Give the mode for each cell; one that changes it does so for those below."""
    mode = Interactivity.LAST_EXPRESSION
    for source, tree in zip(sources, trees, strict=True):
        yield mode
        if "ast_node_interactivity" not in source:
            continue
        mode = mode if tree is None else interactivity_after(tree, mode)
        for escape in find_escapes(source):
            if escape.kind is EscapeKind.LINE_MAGIC and escape.name == "config":
                match = _INTERACTIVITY_OPTION.search(escape.argument)
                mode = read_interactivity(match["mode"], mode) if match else mode


def _set_ups(modules: Iterable[str], *, is_drawing: bool) -> frozenset[str]:
    found = {"_nb2prod_set_up_figures"} if is_drawing else set()
    packages = {module.partition(".")[0] for module in modules}
    if "pandas" in packages:
        found.add("_nb2prod_set_up_pandas")
    if "IPython" in packages:
        found.add("_nb2prod_set_up_ipython")
    return frozenset(found)


def _shows(source: str) -> bool:
    if "display" not in source:
        return False
    names = cell_names(source)
    return "display" in names.used_builtins | names.deferred_builtins


def _future_imports(trees: Sequence[ast.Module | None]) -> tuple[str, ...]:
    found = [
        ast.unparse(node)
        for tree in trees
        if tree is not None
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    return tuple(dict.fromkeys(found))


def _is_first(translated: Sequence[Translation], trees: Sequence[ast.Module | None]) -> bool:
    """Whether all ``from __future__`` imports stand where Python wants them already."""
    return syntax_error(translated[0].source) is None and not _future_imports(trees[1:])


def _refusing(translated: Sequence[Translation], provided: frozenset[str]) -> Iterator[Translation]:
    """Add a refusal where a cell reads a name that only IPython has."""
    known = set(provided)
    for translation in translated:
        if not _MAY_BE_IPYTHONS.search(translation.source):
            yield translation
            continue
        names = cell_names(translation.source)
        found = [
            Refusal(
                line=translation.author_line(names.lines.get(name, 1)),
                text=name,
                message="it is IPython's own, and not there in a script",
                way_out=_WAYS_OUT.get(name, "Give the value a name of its own, and use that."),
                code="ipython-only-name",
            )
            for name in sorted(names.used_builtins - known)
            if is_ipython_name(name)
        ]
        known |= names.defined | {refusal.text for refusal in found}
        yield replace(translation, refusals=(*translation.refusals, *found))


# The values that were shown before: `_`, `_3`, `Out[3]`


@dataclass(frozen=True, kw_only=True)
class _History:
    """What of IPython's history the script has; ``remembered`` goes by the cell's index."""

    provided: frozenset[str] = frozenset()
    remembered: dict[int, tuple[str, ...]]


def _history(cells: Sequence[Cell]) -> _History:
    """Find what the notebook reads of the values that it has shown.

    A number is that of a run from the top to the bottom; where the notebook was run in another
    order last, so that the author saw another value there, nothing is provided.
    """
    read: set[str] = set()
    numbers: set[int] = set()
    for cell in cells:
        if not _MAY_BE_IPYTHONS.search(cell.source):
            continue
        used = cell_names(cell.source)
        read |= used.used_builtins | used.deferred_builtins
        numbers |= _indexed(cell.source)
    numbered = {int(match["number"]) for name in read if (match := _NUMBERED.match(name))}
    wanted = numbered | (numbers if "Out" in read else set())
    if not (read & _UNDERSCORES or wanted):
        return _History(remembered={})
    run = [index for index, cell in enumerate(cells) if cell.source.strip()]
    remembered: dict[int, tuple[str, ...]] = {}
    for number in wanted:
        if not _is_clear(cells, run, number):
            return _History(remembered={})
        remembered[run[number - 1]] = (f"_{number}", f"Out[{number}]")
    provided = {*(read & _UNDERSCORES), *(f"_{number}" for number in wanted)}
    return _History(
        provided=frozenset(provided | ({"Out"} if "Out" in read else set())),
        remembered=remembered,
    )


def _is_clear(cells: Sequence[Cell], run: Sequence[int], number: int) -> bool:
    if number > len(run):
        return False
    counts = {cell.execution_count for cell in cells} - {None}
    return not counts or cells[run[number - 1]].execution_count == number


def _indexed(source: str) -> set[int]:
    """Return the numbers in ``Out[3]``."""
    tree = _tree(source)
    return {
        node.slice.value
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Out"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, int)
    }
