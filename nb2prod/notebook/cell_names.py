"""What is known of a cell's names, and which names are there without any cell."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BUILTIN_NAMES = frozenset(dir(builtins)) | {
    "__annotations__", "__builtins__", "__doc__", "__file__", "__loader__", "__name__",
    "__package__", "__spec__",
}  # fmt: skip
# What IPython puts into a notebook's namespace.
IPYTHON_NAMES = frozenset(
    {"In", "Out", "_", "__", "___", "_dh", "_exit_code", "_i", "_ih", "_ii", "_iii", "_oh",
     "display", "exit", "get_ipython", "open", "quit"}
)  # fmt: skip
_NUMBERED_HISTORY = re.compile(r"_i?[0-9]+\Z")


@dataclass(frozen=True, kw_only=True)
class CellNames:
    """What a cell does with names of the notebook's namespace.

    Parameters
    ----------
    defined
        Names that exist after the cell because of it, at least on one way through it.
    used, used_possibly, used_deferred
        Names that the cell needs from before; see the module.
    used_builtins
        Names of Python's and IPython's own that the cell reads and does not define itself.
        They count where another cell defines them.
    deferred_builtins
        The same, read by the body of a function.
    called
        Names that are called while the cell runs.
    functions
        Names of functions and classes defined here → the names that a call of it reads.
    deleted
        Names that are gone after the cell.
    mutated
        Names whose attributes or items are assigned or deleted, or on which a method is called
        that is known to change its object, as `list.append` (`nb2prod.notebook.mutations`).
        Modules may be among them, as in ``np.insert``.
    may_define_anything, may_use_anything
        True for a star import, ``exec``, ``globals()`` and the like.
    lines
        Name → line where the cell reads it first.
    """

    defined: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    used_possibly: frozenset[str] = frozenset()
    used_deferred: frozenset[str] = frozenset()
    used_builtins: frozenset[str] = frozenset()
    deferred_builtins: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    functions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    mutated: frozenset[str] = frozenset()
    may_define_anything: bool = False
    may_use_anything: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def reads(self) -> frozenset[str]:
        """All names that the cell may need from other cells, now or when a function is called."""
        named = self.used | self.used_possibly | self.used_deferred | self.mutated
        return named | self.used_builtins | self.deferred_builtins

    @property
    def is_uncertain(self) -> bool:
        """Whether the cell may define or use names that its text does not show."""
        return self.may_define_anything or self.may_use_anything


def is_ipython_name(name: str) -> bool:
    """Whether IPython itself puts such a name into a notebook's namespace.

    >>> is_ipython_name("_7"), is_ipython_name("_total")
    (True, False)
    """
    return name in IPYTHON_NAMES or bool(_NUMBERED_HISTORY.match(name))


def is_known(name: str) -> bool:
    """Whether Python or IPython has such a name already."""
    return name in BUILTIN_NAMES or is_ipython_name(name)
