"""Code with its syntax marked by classes, never by styles."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from nb2prod.knowledge.text import escape, show_directions

if TYPE_CHECKING:
    from pygments.lexer import Lexer

# Beyond this nobody reads it, and a lexer's regular expressions may take long.
MAX_LENGTH = 200_000


def highlight(source: str, language: str) -> str:
    """Return code as ``<pre class="code">``, marked by Pygments' short class names.

    A language that Pygments doesn't know, or a very long text, stays unmarked.

    >>> highlight("42", "python")
    '<pre class="code"><code><span class="mi">42</span></code></pre>'
    """
    lexer = _lexer(language) if len(source) <= MAX_LENGTH else None
    return f'<pre class="code"><code>{_mark(source, lexer)}</code></pre>'


def _mark(source: str, lexer: Lexer | None) -> str:
    if lexer is None:
        return escape(source)
    from pygments import highlight as mark
    from pygments.formatters import HtmlFormatter

    return show_directions(mark(source, lexer, HtmlFormatter(nowrap=True)).removesuffix("\n"))


@cache
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    # IPython's own lexers come with IPython, which need not be here; its magics are translated.
    name = "python" if language.lower().startswith("ipython") else language.lower()
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
