"""Which cells may draw a figure with matplotlib, so that a script shows and closes it there.

A notebook's inline backend shows each open figure at the end of a cell and closes it; a script
that did not would draw the next cell's curves into the same figure. Whether a cell draws can't be
known without running it: a call that might is taken for one that does, and costs one line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

_MODULES = frozenset({"matplotlib", "mpl_toolkits", "pylab", "seaborn"})
# Modules of which nearly everything draws.
_DRAWING_MODULES = frozenset({"matplotlib.pylab", "matplotlib.pyplot", "pylab", "seaborn"})
# What they have besides: settings, colours.
_SETTINGS = frozenset(
    {"cm", "close", "color_palette", "colormaps", "get_cmap", "interactive", "ioff", "ion",
     "load_dataset", "rc", "rcParams", "rc_context", "rcdefaults", "reset_defaults", "reset_orig",
     "set", "set_cmap", "set_context", "set_palette", "set_style", "set_theme", "style",
     "switch_backend", "use"}
)  # fmt: skip
_DRAWS = re.compile(
    r"plot|draw|imshow|heatmap|pairgrid|facetgrid|visuali[sz]e|\Ahist\Z|\Afigure\Z|\Asubplots?\Z"
    r"|_graph\Z|_hist\Z|\Ashow_|\Afrom_(?:estimator|predictions)\Z",
    re.IGNORECASE,
)


def drawing_cells(trees: Sequence[ast.Module | None]) -> tuple[bool, ...]:
    """Say for each cell whether it may draw.

    Parameters
    ----------
    trees
        Of the code cells in their order; `None` for one that is no Python.
    """
    known = [tree for tree in trees if tree is not None]
    imports = [item for tree in known for item in _imports(tree)]
    if not _may_plot(known, imports):
        return (False,) * len(trees)
    drawing = frozenset(_drawing_names(imports))
    functions = _drawing_functions(known, drawing)
    return tuple(tree is not None and _draws(tree.body, drawing, functions) for tree in trees)


# An import: the module, the name in it (or nothing), the name that it is bound to.
_Import = tuple[str, str, str]


def _may_plot(trees: Sequence[ast.Module], imports: Iterable[_Import]) -> bool:
    if any(module.partition(".")[0] in _MODULES or "plot" in module for module, _, _ in imports):
        return True
    return any(
        isinstance(node, ast.Attribute) and node.attr.lower() in ("plot", "hist", "boxplot")
        for tree in trees
        for node in ast.walk(tree)
    )


def _imports(tree: ast.Module) -> Iterator[_Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.module, alias.name, alias.asname or alias.name


def _drawing_names(imports: Iterable[_Import]) -> Iterator[str]:
    for module, inside, bound in imports:
        whole = f"{module}.{inside}" if inside else module
        is_member = inside and _draws_at_all(module) and inside not in _SETTINGS
        if _draws_at_all(whole) or is_member:
            yield bound


def _draws_at_all(module: str) -> bool:
    # Many a project has its own module for plots, and names it so.
    return module in _DRAWING_MODULES or "plot" in module.rpartition(".")[2]


def _drawing_functions(trees: Sequence[ast.Module], drawing: frozenset[str]) -> frozenset[str]:
    """Return the notebook's functions, methods and classes whose code may draw."""
    bodies: dict[str, list[ast.AST]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bodies.setdefault(node.name, []).extend(node.body)
    found: frozenset[str] = frozenset()
    while True:
        others = bodies.keys() - found
        more = {name for name in others if _draws(bodies[name], drawing, found)}
        if not more:
            return found
        found |= more


def _draws(body: Sequence[ast.AST], drawing: frozenset[str], functions: frozenset[str]) -> bool:
    for node in _executed(body):
        if isinstance(node, ast.Attribute):
            # The accessor of pandas: ``frame.plot.bar()``.
            if node.attr == "plot":
                return True
            is_of_module = isinstance(node.value, ast.Name) and node.value.id in drawing
            if is_of_module and node.attr not in _SETTINGS:
                return True
        elif isinstance(node, ast.Call):
            called = _called(node.func)
            if called in functions or _DRAWS.search(called):
                return True
            if isinstance(node.func, ast.Name) and called in drawing:
                return True
    return False


def _executed(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk through code that runs with the cell: not through what it defines for later."""
    pending = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(node.decorator_list)
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
