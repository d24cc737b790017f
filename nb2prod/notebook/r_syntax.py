r"""R's source as tokens and statements, without R.

The rules are those of the R language definition, chapter 10 ("Parser"): a statement ends with its
line, unless a bracket is open or something must follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from nb2prod.notebook.plain_parameters import Unreadable

TokenKind = Literal["space", "newline", "comment", "text", "name", "number", "operator"]

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\f\r\u00a0]+)
  | (?P<newline>\n)
  | (?P<comment>\#[^\n]*)
  | (?P<text>[rR](?P<quote>["'])(?P<dashes>-*)(?:
        \((?:.*?)\)(?P=dashes)(?P=quote)
      | \[(?:.*?)\](?P=dashes)(?P=quote)
      | \{(?:.*?)\}(?P=dashes)(?P=quote))
      | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+L?
      | (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[Li]?)
  | (?P<name>`(?:\\.|[^`\\])*` | (?:[^\W\d_]|\.(?![0-9]))[\w.]*)
  | (?P<operator>%[^%\n]*% | <<- | ->> | <- | -> | <= | >= | == | != | \|> | && | \|\| | :::? | :=
      | [-+*/^<>=!&|~?:$@,;()\[\]{}\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())
_HEADS = frozenset({"if", "for", "while", "function", "\\"})
_UNFINISHED = frozenset({"else", "repeat", "in"})
ASSIGNMENTS = frozenset({"<-", "<<-", "="})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source; ``line`` counts from 1, ``end_line`` is that of its last character."""

    kind: TokenKind
    text: str
    start: int
    line: int

    @property
    def end_line(self) -> int:
        """The line of its last character."""
        return self.line + self.text.count("\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top level: its tokens without spaces, line ends and comments."""

    tokens: tuple[Token, ...]
    comment: str = ""

    @property
    def line(self) -> int:
        """The line where it begins, from 1."""
        return self.tokens[0].line


def tokens_of(source: str) -> list[Token]:
    """Split a source into tokens; raises `Unreadable` where it is no R.

    >>> [token.text for token in tokens_of("x<-10L # days") if token.kind != "space"]
    ['x', '<-', '10L', '# days']
    """
    found: list[Token] = []
    position, line = 0, 1
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            character = source[position]
            what = "a text has no end" if character in "\"'`" else f"`{character}` means nothing"
            raise Unreadable(f"{what} in R", line)
        found.append(Token(cast(TokenKind, match.lastgroup), match[0], position, line))
        line += match[0].count("\n")
        position = match.end()
    return found


def statements_of(source: str) -> Iterator[Statement]:
    """Split a source into its statements; raises `Unreadable` where it is no R."""
    tokens = tokens_of(source)
    comments = {
        token.line: token.text.lstrip("#").lstrip("'").strip()
        for token in tokens
        if token.kind == "comment"
    }
    pending: list[Token] = []
    reader = _Depth()
    for token in tokens:
        if token.kind in ("space", "comment"):
            continue
        is_end = token.kind == "newline" or (token.kind, token.text) == ("operator", ";")
        if not is_end:
            reader.take(token)
            pending.append(token)
        elif pending and reader.is_complete(token):
            yield _statement(pending, comments, is_last=token.kind == "newline")
            pending = []
    if pending:
        if reader.open:
            raise Unreadable(f"`{reader.open[-1][0].text}` has no end", reader.open[-1][0].line)
        yield _statement(pending, comments, is_last=True)


def comment_lines(source: str) -> frozenset[int]:
    """Return the lines, from 1, that are nothing but a comment; raises `Unreadable`."""
    lines = source.split("\n")
    return frozenset(
        token.line
        for token in tokens_of(source)
        if token.kind == "comment" and lines[token.line - 1].strip() == token.text.strip()
    )


class _Depth:
    """Follows brackets, and what the last token leaves open."""

    def __init__(self) -> None:
        self.open: list[tuple[Token, bool]] = []
        self._last: Token | None = None
        self._closes_head = False

    def take(self, token: Token) -> None:
        self._closes_head = False
        if token.kind == "operator" and token.text in _OPENING:
            last = self._last
            is_head = last is not None and last.text in _HEADS and token.text == "("
            self.open.append((token, is_head))
        elif token.kind == "operator" and token.text in _CLOSING:
            opened, is_head = self.open.pop() if self.open else (None, False)
            if opened is None or _OPENING[opened.text] != token.text:
                raise Unreadable(f"`{token.text}` closes nothing", token.line)
            self._closes_head = is_head
        self._last = token

    def is_complete(self, end: Token) -> bool:
        if self.open:
            return False
        if end.kind != "newline":
            return True
        last = self._last
        assert last is not None
        if last.kind == "operator":
            return last.text in _CLOSING and not self._closes_head
        return last.text not in _UNFINISHED


def _statement(tokens: Sequence[Token], comments: dict[int, str], *, is_last: bool) -> Statement:
    end = tokens[-1].end_line
    comment = comments.get(end, "") if is_last else ""
    if not comment and end > tokens[0].line:
        comment = comments.get(tokens[0].line, "")
    return Statement(tuple(tokens), comment)
