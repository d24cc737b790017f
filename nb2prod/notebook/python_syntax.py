"""Parsing Python without a word: warnings about the author's code are not for our output."""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

# More cells than most notebooks have: export and preflight ask for the same ones again and again.
_CELLS_KEPT = 512


@lru_cache(maxsize=_CELLS_KEPT)
def parse(source: str) -> ast.Module:
    """Parse; raises `SyntaxError` for whatever Python's parser can't take.

    The tree is shared by all who ask for the same source: nobody may change it.

    Parameters
    ----------
    source
        Plain Python; `nb2prod.notebook.ipython_syntax.without_ipython` makes it of a cell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "it is nested too deeply") from error


def parse_expression(source: str) -> ast.expr:
    """Parse one expression; raises `SyntaxError` as `parse` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source.strip(), mode="eval").body
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "it is nested too deeply") from error


def syntax_error(source: str) -> SyntaxError | None:
    """Return what is wrong with a program; `None` where Python would start it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<cell>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return error
        except (ValueError, RecursionError, MemoryError) as error:
            return SyntaxError(str(error) or "it is nested too deeply")
    return None


def awaits_at_top_level(source: str) -> bool:
    """Whether a program is wrong only in that it awaits outside of a function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return syntax_error(source) is not None
