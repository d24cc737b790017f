"""What a notebook imports, and the packages that bring it (PEP 723's direct dependencies)."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache

from nb2prod.notebook.ipython_syntax import without_ipython
from nb2prod.notebook.python_syntax import parse


def imported_modules(sources: Iterable[str]) -> frozenset[str]:
    """Return the dotted names of all modules that cells import, those in functions too."""
    return frozenset().union(*map(_imports, sources))


def direct_dependencies(
    modules: Iterable[str], distributions: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the names of the distributions that bring these modules, sorted.

    Parameters
    ----------
    distributions
        Top-level module → the distributions that have it. A module that is not in it is
        taken for one of the project's own.

    Examples
    --------
    >>> direct_dependencies({"os", "sklearn.linear_model"}, {"sklearn": ("scikit-learn",)})
    ('scikit-learn',)
    """
    found: dict[str, str] = {}
    for module in modules:
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names:
            for name in _chosen(module, distributions.get(top, ())):
                found.setdefault(_normal(name), name)
    return tuple(found[key] for key in sorted(found))


def _chosen(module: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Prefer the distribution that is named as the module; several may share a namespace."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        wanted = _normal("-".join(parts[:length]))
        named = tuple(name for name in candidates if _normal(name) == wanted)
        if named:
            return named
    return candidates


@lru_cache(maxsize=512)
def _imports(source: str) -> frozenset[str]:
    if "import" not in source:
        return frozenset()
    try:
        tree = parse(without_ipython(source))
    except SyntaxError:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
