r"""Finding IPython's own lines in a cell, without IPython.

A cell is read logical line by logical line, as Python reads it: brackets, strings, comments and
backslashes decide where a line ends. Only where one begins may an escape stand (``%magic``,
``!command``, ``?name``), or behind an ``=`` outside of all brackets (``x = !ls``). So a ``%``
that continues an expression, or that stands inside a text, is never taken for a magic.

The rules are IPython's (its documentation, "IPython reference"); tests/unit/notebook compare
with IPython itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class EscapeKind(StrEnum):
    """The forms of IPython's own syntax."""

    LINE_MAGIC = "line magic"
    CELL_MAGIC = "cell magic"
    SHELL = "shell command"
    HELP = "help"
    AUTOCALL = "automatic call"


@dataclass(frozen=True, kw_only=True, slots=True)
class Escape:
    """One place in a cell that is IPython's syntax, not Python's.

    Parameters
    ----------
    line, end_line
        First and last line of it in the cell, from 1. A cell magic takes the whole cell.
    indent
        White space before it.
    target
        What the result is assigned to, as written: ``x``, ``a, b``, ``d["k"]``; or empty.
    name
        Of the magic, without ``%``; ``!`` or ``!!`` for a command; ``?`` for help.
    argument
        The text behind the name, continued lines joined.
    body
        The lines below the first one, for a cell magic.
    """

    kind: EscapeKind
    line: int
    end_line: int
    indent: str
    target: str
    name: str
    argument: str
    body: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """A comment that has a line of its own; ``line`` counts from 1."""

    line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where a cell has IPython's syntax, and where lines that are only a comment."""

    escapes: tuple[Escape, ...] = ()
    comments: tuple[Comment, ...] = ()


# More cells than most notebooks have: export and preflight ask for the same ones again and again.
_CELLS_KEPT = 512
# Cell magics whose body is Python that runs in the notebook's own namespace.
PYTHON_CELL_MAGICS = frozenset({"time", "capture"})

_ESCAPE_START = "%!?,;/"
_MAGIC = re.compile(r"(?P<percent>%{1,2})(?P<name>[^\s%]*)[ \t]*(?P<argument>.*)", re.DOTALL)
_HELP_ON_MAGIC = re.compile(r"%{1,2}\w+\?{1,2}\s*\Z")
_INDENT = re.compile(r"[ \t\f]*")
_FIRST = re.compile(r"(?:[ \t]*\n)*[ \t]*")
_TRIPLE_ENDS = {
    quotes: re.compile(rf"(?:\\.|[^\\])*?{quotes}", re.DOTALL) for quotes in ('"' * 3, "'" * 3)
}
# What matters while reading Python: texts, comments, brackets, backslashes, line ends, and the
# two places of escapes in mid-line.
_TOKEN = re.compile(
    r"""
    (?P<triple>\"{3}|'{3})
    | (?P<text>"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z) | '(?:\\.|[^'\\\n])*(?:'|(?=\n)|\Z))
    | (?P<comment>\#[^\n]*)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<continued>\\\n)
    | (?P<newline>\n)
    | (?P<assigned>(?<![=!<>:+\-*/%&|^@])=(?=[ \t]*(?:%[^\W\d]|!(?!=))))
    | (?P<help>\?\??(?=[ \t]*;?[ \t]*(?:\n|\Z)))
    """,
    re.VERBOSE | re.DOTALL,
)


def find_escapes(source: str) -> tuple[Escape, ...]:
    r"""Find IPython's own lines in a cell, in their order.

    >>> [escape.name for escape in find_escapes("%time f()\nx = !ls\ny = (7\n% 4)")]
    ['time', '!']
    """
    return read_layout(source).escapes


@lru_cache(maxsize=_CELLS_KEPT)
def read_layout(source: str) -> Layout:
    """Find IPython's own lines and the lines that are only a comment.

    Comments inside brackets count; what looks like one inside a text does not.
    """
    found = list(_scan_cell(source, 0))
    return Layout(
        escapes=tuple(item for item in found if isinstance(item, Escape)),
        comments=tuple(item for item in found if isinstance(item, Comment)),
    )


@lru_cache(maxsize=_CELLS_KEPT)
def without_ipython(source: str) -> str:
    r"""Replace IPython's own lines by Python that a parser accepts, on the same lines.

    What they are assigned to stays assigned, to something that is no literal.

    >>> without_ipython("%matplotlib inline\nfiles = !ls\nx = 1")
    'pass\nfiles = object()\nx = 1'
    """
    python = dedented(source)
    lines = python.split("\n")
    for escape in find_escapes(python):
        lines[escape.line - 1] = _placeholder(escape)
        for line in range(escape.line, escape.end_line):
            lines[line] = ""
    return "\n".join(lines)


def dedented(source: str) -> str:
    """Take the first line's indentation off all lines, as IPython does."""
    first = _FIRST.match(source)
    indent = first[0].rpartition("\n")[2] if first else ""
    return "\n".join(line.removeprefix(indent) for line in source.split("\n"))


def _placeholder(escape: Escape) -> str:
    if escape.kind is EscapeKind.LINE_MAGIC and escape.name == "time":
        value = escape.argument or "pass"
    else:
        value = "object()" if escape.target else "pass"
    return f"{escape.indent}{escape.target}{' = ' if escape.target else ''}{value}"


def _scan_cell(source: str, start: int) -> Iterator[Escape | Comment]:
    first = _FIRST.match(source, start)
    begin = first.end() if first else start
    end = _line_end(source, begin)
    top = source[begin:end]
    if not top.startswith("%%") or _HELP_ON_MAGIC.match(top):
        yield from _scan(source, start)
        return
    magic = _MAGIC.match(top)
    assert magic is not None
    is_python = magic["name"] in PYTHON_CELL_MAGICS
    line = source.count("\n", 0, begin) + 1
    yield Escape(
        kind=EscapeKind.CELL_MAGIC,
        line=line,
        end_line=line if is_python else source.count("\n") + 1,
        indent=source[source.rfind("\n", 0, begin) + 1 : begin],
        target="",
        name=magic["name"],
        argument=magic["argument"].rstrip(),
        body=source[end + 1 :],
    )
    if is_python:
        yield from _scan_cell(source, end + 1)


def _scan(source: str, start: int) -> Iterator[Escape | Comment]:
    """Read logical line by logical line from `start`, which is where one begins."""
    position = start
    while position < len(source):
        indent = _INDENT.match(source, position)
        begin = indent.end() if indent else position
        if source[begin : begin + 1] and source[begin] in _ESCAPE_START:
            escape, position = _escape(source, position, begin, begin)
            yield escape
        else:
            found, position = _logical_line(source, position)
            yield from found


def _logical_line(source: str, start: int) -> tuple[list[Escape | Comment], int]:
    """Read one logical line; returns what is in it, and where the next one begins."""
    found: list[Escape | Comment] = []
    depth, position = 0, start
    while token := _TOKEN.search(source, position):
        kind, position = token.lastgroup, token.end()
        if kind == "newline" and depth == 0:
            return found, position
        if kind == "triple":
            position = _end_of_text(source, token)
        elif kind == "comment":
            before = source[source.rfind("\n", 0, token.start()) + 1 : token.start()]
            if not before.strip():
                line = source.count("\n", 0, token.start()) + 1
                found.append(Comment(line=line, text=before + token[0]))
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
        elif kind == "assigned" and depth == 0:
            behind = _INDENT.match(source, position)
            begin = behind.end() if behind else position
            escape, position = _escape(source, start, begin, token.start())
            return [*found, escape], position
        elif kind == "help" and depth == 0:
            return [*found, _help(source, start, token.start())], _line_end(source, position) + 1
    return found, len(source)


def _end_of_text(source: str, opening: re.Match[str]) -> int:
    closing = _TRIPLE_ENDS[opening[0]].match(source, opening.end())
    return closing.end() if closing else len(source)


def _escape(source: str, start: int, begin: int, target_end: int) -> tuple[Escape, int]:
    """Read the escape whose first character is at `begin`, in the logical line from `start`."""
    end = _line_end(source, begin)
    parts = [source[begin:end]]
    while parts[-1].endswith("\\") and end < len(source):
        begin_next, end = end + 1, _line_end(source, end + 1)
        parts.append(source[begin_next:end])
    # IPython joins continued lines so.
    text = " ".join([*(part.rstrip()[:-1] for part in parts[:-1]), parts[-1]]).rstrip()
    kind, name, argument = _classify(text)
    indent = _INDENT.match(source, start)
    line = source.count("\n", 0, start) + 1
    escape = Escape(
        kind=kind,
        line=line,
        end_line=source.count("\n", 0, end) + 1,
        indent=indent[0] if indent else "",
        # On one line, wherever its brackets or backslashes led it.
        target=source[start:target_end].replace("\\\n", " ").replace("\n", " ").strip(),
        name=name,
        argument=argument,
    )
    return escape, end + 1


def _classify(text: str) -> tuple[EscapeKind, str, str]:
    if text.startswith("?") or _HELP_ON_MAGIC.match(text):
        return EscapeKind.HELP, "?", text.strip("?").strip()
    if text.startswith("!"):
        name = "!!" if text.startswith("!!") else "!"
        return EscapeKind.SHELL, name, text[len(name) :].strip()
    magic = _MAGIC.match(text)
    if magic is None:
        return EscapeKind.AUTOCALL, text[0], text[1:].strip()
    # IPython knows no cell magic in mid-cell: it looks for a line magic of that name.
    is_misplaced = magic["percent"] == "%%"
    return EscapeKind.LINE_MAGIC, "%" * is_misplaced + magic["name"], magic["argument"]


def _help(source: str, start: int, mark: int) -> Escape:
    indent = _INDENT.match(source, start)
    return Escape(
        kind=EscapeKind.HELP,
        line=source.count("\n", 0, start) + 1,
        end_line=source.count("\n", 0, mark) + 1,
        indent=indent[0] if indent else "",
        target="",
        name="?",
        argument=source[start:mark].strip(),
    )


def _line_end(source: str, position: int) -> int:
    end = source.find("\n", position)
    return len(source) if end < 0 else end
