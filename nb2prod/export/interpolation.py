"""The text of a command with Python's values in it: ``{expression}`` and ``$name``.

The rules are IPython's (``InteractiveShell.var_expand``): a field may hold any expression; a
dollar outside of single quotes stands for a name, with its attributes; ``$$`` is a dollar and
``{{`` a brace; and a text in which anything can't be evaluated stays as it is, whole. IPython
learns the last by trying. Here it is decided beforehand: by the names that the notebook binds.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from string import Formatter

from nb2prod.notebook.python_syntax import parse_expression

_DOLLAR = re.compile(r"\$(?P<field>\$?[\w.]+)(?=(?:[^']*'[^']*')*[^']*\Z)")
_BUILTINS = frozenset(dir(builtins))

# A piece of text, or the source of an expression with its conversion (``r``, ``s``, ``a``).
_Part = str | tuple[str, str]


def expanded(text: str, names: AbstractSet[str]) -> str:
    """Write the Python expression for a text with values in it.

    Parameters
    ----------
    names
        The names that the notebook binds anywhere; all others are the shell's.

    Examples
    --------
    >>> expanded("ls {folder} $HOME", {"folder"})
    '"ls {folder} $HOME"'
    >>> expanded("ls {folder}/*.csv", {"folder"})
    'f"ls {folder}/*.csv"'
    """
    try:
        parts = [part for part in _parts(text) if part]
    except (ValueError, SyntaxError):
        return quoted(text)
    fields = [part for part in parts if isinstance(part, tuple)]
    if not all(_is_bound(source, names) for source, _ in fields):
        return quoted(text)
    if not fields:
        return quoted("".join(part for part in parts if isinstance(part, str)))
    # Before Python 3.12 an f-string takes no quotes and backslashes inside its fields.
    if any(set(source) & set("\"'\\") or source[0] == "{" for source, _ in fields):
        return " + ".join(map(_as_operand, parts))
    return f'f"{"".join(map(_as_field, parts))}"'


def quoted(text: str) -> str:
    r"""Write a text as a Python literal in double quotes.

    >>> quoted('say "hi"')
    '"say \\"hi\\""'
    """
    return f'"{_escaped(text)}"'


def _parts(text: str) -> Iterator[_Part]:
    for literal, field, specification, conversion in Formatter().parse(text):
        end = 0
        pending = ""
        for match in _DOLLAR.finditer(literal):
            pending += literal[end : match.start()]
            end = match.end()
            if match["field"].startswith("$"):
                pending += match["field"]
            else:
                yield pending
                yield _checked(match["field"], "")
                pending = ""
        yield pending + literal[end:]
        if field is not None:
            # IPython reads `{x[1:2]}` as a slice, never as a format.
            source = f"{field}:{specification}" if specification else field
            yield _checked(source.strip(), conversion or "")


def _checked(source: str, conversion: str) -> tuple[str, str]:
    tree = parse_expression(source)
    # A comment or a line's end would swallow what follows.
    is_plain = not set(source) & set("#\n")
    return source if is_plain else ast.unparse(tree), conversion


def _is_bound(source: str, names: AbstractSet[str]) -> bool:
    tree = parse_expression(source)
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    inner = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return read - inner - _BUILTINS <= names


def _as_field(part: _Part) -> str:
    if isinstance(part, str):
        return _escaped(part).replace("{", "{{").replace("}", "}}")
    source, conversion = part
    return f"{{{source}{'!' if conversion else ''}{conversion}}}"


def _as_operand(part: _Part) -> str:
    if isinstance(part, str):
        return quoted(part)
    source, conversion = part
    return f"{_CONVERSIONS[conversion]}({source})"


_CONVERSIONS = {"": "format", "s": "str", "r": "repr", "a": "ascii"}


def _escaped(text: str) -> str:
    return "".join(_QUOTES.get(char) or repr(char)[1:-1] for char in text)


_QUOTES = {'"': '\\"', "'": "'"}
