"""What translators of single pieces of IPython's syntax have in common.

A translator takes an escape and what is around it, and returns the lines that stand in its place,
without indentation; or raises `Refused`. The table that says which translator is for which magic is
in `nb2prod.export.magics`.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nb2prod.notebook.ipython_syntax import Escape


@dataclass(frozen=True, kw_only=True)
class Around:
    """What an escape's translation depends on, beside itself.

    Parameters
    ----------
    names
        The names that the notebook binds anywhere.
    is_shown
        Whether the notebook shows the escape's value, as that of its cell's last expression.
    is_first
        Whether nothing of the notebook has run before.
    """

    names: AbstractSet[str]
    is_shown: bool = False
    is_first: bool = False


Translator = Callable[[Escape, Around], list[str]]


@dataclass
class Refused(Exception):
    """An escape can't be translated."""

    message: str
    way_out: str
    code: str = "magic-refused"


def shown(escape: Escape) -> str:
    """Return an escape as people write it: ``%%time``, ``!ls``."""
    percents = {"line magic": "%", "cell magic": "%%"}.get(escape.kind.value, "")
    if percents:
        return percents + escape.name
    return f"{escape.name}{escape.argument.split(' ')[0]}"


def assigned(escape: Escape, expression: str, around: Around) -> str:
    """Write an expression as the notebook uses it: assigned, shown, or neither."""
    if escape.target:
        return f"{escape.target} = {expression}"
    return f"_nb2prod_show({expression})" if around.is_shown else expression


def refuse_target(escape: Escape) -> None:
    """Refuse an escape whose result is assigned."""
    if escape.target:
        raise Refused(
            f"the result of {shown(escape)} can't be assigned in a script",
            "Get the value by plain Python.",
        )


def unquoted(text: str) -> str:
    """Take off the quotes around a text, if there are any."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def has_text_over_lines(code: str) -> bool:
    """Whether code has texts over several lines, which indentation would change."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return True
    return any(
        token.start[0] != token.end[0]
        for token in tokens
        if tokenize.tok_name[token.type].startswith(("STRING", "FSTRING"))
    )
