"""LaTeX outputs: which of them are one formula that a browser can set."""

from __future__ import annotations

import re

_DELIMITED = re.compile(
    r"\s*(?:\$\$(?P<double>.+)\$\$|\$(?P<single>.+)\$|\\\[(?P<bracket>.+)\\\]|\\\((?P<paren>.+)\\\))\s*",
    re.DOTALL,
)
_ENVIRONMENT = re.compile(
    r"\s*\\begin\{(?P<name>(?:equation|align|gather|alignat|split|cases|[pbvBV]?matrix|array)\*?)\}"
    r".*\\end\{(?P=name)\}\s*",
    re.DOTALL,
)


def formula_of(text: str) -> str | None:
    r"""Return the formula that a LaTeX text consists of; `None` for any other LaTeX.

    >>> formula_of("$\\displaystyle x^2$"), formula_of("a table of $x$ and $y$")
    ('\\displaystyle x^2', None)
    """
    if _ENVIRONMENT.fullmatch(text):
        return text.strip()
    match = _DELIMITED.fullmatch(text)
    if match is None:
        return None
    formula = next(part for part in match.groups() if part is not None).strip()
    return formula if formula and not re.search(r"(?<!\\)\$", formula) else None
