"""IPython's automagic: a cell of one line such as ``cd data``, without the ``%``.

IPython does so for a line alone in its cell whose first word is a line magic's name, unless the
notebook has given that name a meaning of its own, or the line assigns to it.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Set as AbstractSet

from nb2prod.export.magics import has_line_magic

_LINE = re.compile(r"(?P<name>[^\W\d]\w*)(?=\s|\Z)\s*(?P<rest>[^\n]*)\Z")
_BUILTINS = frozenset(dir(builtins))


def explicit_magic(source: str, names: AbstractSet[str]) -> str | None:
    """Return a cell with the ``%`` that IPython puts in; `None` where it puts none.

    Parameters
    ----------
    names
        The names that the notebook binds.

    Examples
    --------
    >>> explicit_magic("cd ..", set()), explicit_magic("cd ..", {"cd"})
    ('%cd ..', None)
    """
    match = _LINE.match(source.strip())
    if match is None or "\n" in source.strip("\n"):
        return None
    name = match["name"]
    is_taken = name in names or name in _BUILTINS or keyword.iskeyword(name)
    if is_taken or match["rest"].startswith("=") or not has_line_magic(name):
        return None
    return f"%{source.strip()}"
