r"""Words of bash's source, without bash: quotes and what they hold, arrays, comments.

Nothing is expanded: a word with an expansion in it has no value. The rules are those of POSIX,
"Shell Command Language" 2.2 and 2.6, and of bash's manual for ``$'…'`` and arrays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nb2prod.notebook.plain_parameters import Unreadable

_META = frozenset(" \t\n;&|<>()")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<index>\[[^\]\n]*\])?(?P<plus>\+?)=")
_EXPANSION = re.compile(r"\$(?:[A-Za-z_({\[*@#?$!0-9-])")
_ANSI = re.compile(
    r"\\(?:x(?P<hex>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})|u(?P<short>[0-9a-fA-F]{1,4})"
    r"|U(?P<long>[0-9a-fA-F]{1,8})|c(?P<control>.)|(?P<char>.))",
    re.DOTALL,
)
_CHARACTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CHARACTERS |= {"e": "\x1b", "E": "\x1b"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word of a command.

    Parameters
    ----------
    source
        As it is written.
    value
        What it stands for; `None` where bash would expand something in it.
    is_quoted
        Whether a part of it is in quotes.
    items
        The words of ``name=(…)``; `None` where it is no array.
    """

    source: str
    line: int
    value: str | None
    is_quoted: bool = False
    items: tuple[Word, ...] | None = None

    @property
    def assigned(self) -> re.Match[str] | None:
        """What the word assigns to, where it is an assignment: name, index and ``+``."""
        return _ASSIGNMENT.match(self.source)


@dataclass
class WordReader:
    """Goes through a source once, word by word; ``place`` is where it stands.

    Parameters
    ----------
    alone
        Lines (from 1) that are nothing but a comment.
    behind
        Comments behind code, by line.
    """

    source: str
    place: int = 0
    alone: set[int] = field(default_factory=set)
    behind: dict[int, str] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """The line where it stands, from 1."""
        return self.source.count("\n", 0, self.place) + 1

    def comment(self) -> None:
        """Take a comment, up to the end of its line."""
        stop = self.source.find("\n", self.place)
        stop = len(self.source) if stop < 0 else stop
        start = self.source.rfind("\n", 0, self.place) + 1
        if self.source[start : self.place].strip():
            self.behind[self.line] = self.source[self.place + 1 : stop].lstrip("#").strip()
        else:
            self.alone.add(self.line)
        self.place = stop

    def skip_blanks(self) -> None:
        """Go on behind spaces and tabs."""
        while self.place < len(self.source) and self.source[self.place] in " \t":
            self.place += 1

    def word(self) -> Word:
        """Read the word that begins here; raises `Unreadable` where none can."""
        start, line = self.place, self.line
        parts: list[str] = []
        is_plain, is_quoted = True, False
        items: tuple[Word, ...] | None = None
        while self.place < len(self.source):
            character = self.source[self.place]
            if character == "(" and _is_array(self.source[start : self.place]):
                items = self._array()
                break
            if character in _META:
                break
            if character == "\\":
                following = self.source[self.place + 1 : self.place + 2]
                self.place += 2
                parts.append("" if following == "\n" else following)
                is_quoted = is_quoted or following != "\n"
            elif character in "'\"" or self.source.startswith(("$'", '$"'), self.place):
                text = self._quoted()
                is_quoted = True
                is_plain = is_plain and text is not None
                parts.append(text or "")
            elif character == "`" or _EXPANSION.match(self.source, self.place):
                self._expansion()
                is_plain = False
            else:
                self.place += 1
                parts.append(character)
        if self.place == start:
            raise Unreadable(f"`{self.source[start : start + 1]}` can't stand here", line)
        source = self.source[start : self.place]
        return Word(
            source=source,
            line=line,
            value="".join(parts) if is_plain and items is None else None,
            is_quoted=is_quoted,
            items=items,
        )

    def _array(self) -> tuple[Word, ...]:
        line = self.line
        self.place += 1
        items: list[Word] = []
        while self.place < len(self.source):
            character = self.source[self.place]
            if character == ")":
                self.place += 1
                return tuple(items)
            if character in " \t\n":
                self.place += 1
            elif character == "#":
                self.comment()
            elif character in _META:
                raise Unreadable(f"`{character}` can't stand in an array", self.line)
            else:
                items.append(self.word())
        raise Unreadable("an array has no end", line)

    def _quoted(self) -> str | None:
        """Read a text in quotes; returns `None` where something is expanded in it."""
        line = self.line
        if self.source.startswith("'", self.place):
            stop = self.source.find("'", self.place + 1)
            text = self.source[self.place + 1 : stop]
            self.place = stop + 1
            if stop < 0:
                raise Unreadable("a text has no end", line)
            return text
        if self.source.startswith("$'", self.place):
            match = re.compile(r"\$'((?:\\.|[^'\\])*)'", re.DOTALL).match(self.source, self.place)
            if match is None:
                raise Unreadable("a text has no end", line)
            self.place = match.end()
            return ansi_text(match[1])
        is_translated = self.source.startswith("$", self.place)
        self.place += 1 + is_translated
        return None if self._double_quoted(line) is None or is_translated else self._text

    def _double_quoted(self, line: int) -> str | None:
        parts: list[str] = []
        is_plain = True
        while self.place < len(self.source):
            character = self.source[self.place]
            if character == '"':
                self.place += 1
                self._text = "".join(parts)
                return self._text if is_plain else None
            if character == "\\":
                following = self.source[self.place + 1 : self.place + 2]
                kept = "" if following in ("$", "`", '"', "\\", "\n") else "\\"
                parts.append(kept + ("" if following == "\n" else following))
                self.place += 2
            elif character == "`" or _EXPANSION.match(self.source, self.place):
                self._expansion()
                is_plain = False
            else:
                parts.append(character)
                self.place += 1
        raise Unreadable("a text has no end", line)

    def _expansion(self) -> None:
        if self.source.startswith("`", self.place):
            match = re.compile(r"`(?:\\.|[^`\\])*`", re.DOTALL).match(self.source, self.place)
            if match is None:
                raise Unreadable("a command in backquotes has no end", self.line)
            self.place = match.end()
        elif self.source.startswith("$((", self.place):
            self.place = self.skip("((", "))", at=self.place + 1)
        elif self.source.startswith("$(", self.place):
            self.place = self.skip("(", ")", at=self.place + 1)
        elif self.source.startswith("${", self.place):
            self.place = self.skip("{", "}", at=self.place + 1)
        else:
            self.place += 2

    def skip(self, opening: str, closing: str, at: int | None = None) -> int:
        """Return the place behind a bracket's end; quotes in it are read as such."""
        start = self.place if at is None else at
        line = self.source.count("\n", 0, start) + 1
        self.place = start + len(opening)
        while self.place < len(self.source):
            if self.source.startswith(closing, self.place):
                return self.place + len(closing)
            character = self.source[self.place]
            if character in "'\"" or self.source.startswith(("$'", '$"'), self.place):
                self._quoted()
            elif character == "\\":
                self.place += 2
            elif character == "`" or _EXPANSION.match(self.source, self.place):
                self._expansion()
            elif character == opening[0]:
                self.place = self.skip(opening[0], closing[0], at=self.place)
            elif character == "#" and opening == "(" and self._is_comment():
                stop = self.source.find("\n", self.place)
                self.place = len(self.source) if stop < 0 else stop
            else:
                self.place += 1
        raise Unreadable(f"`{opening}` has no end", line)

    def _is_comment(self) -> bool:
        return self.source[self.place - 1] in " \t\n;("


def ansi_text(text: str) -> str | None:
    r"""Return what ``$'…'`` stands for; `None` for bytes that are no text.

    >>> ansi_text(r"it\'s\t\u00fc")
    "it's\tü"
    """
    read = bytearray()
    position = 0
    for match in _ANSI.finditer(text):
        read += text[position : match.start()].encode("utf-8", "surrogatepass") + _ansi(match)
        position = match.end()
    read += text[position:].encode("utf-8", "surrogatepass")
    try:
        return read.decode()
    except UnicodeDecodeError:
        return None


def _ansi(match: re.Match[str]) -> bytes:
    if match["hex"] or match["octal"]:
        number = int(match["hex"], 16) if match["hex"] else int(match["octal"], 8)
        return bytes([number & 0xFF])
    digits = match["short"] or match["long"]
    if digits:
        return chr(min(int(digits, 16), 0x10FFFF)).encode("utf-8", "surrogatepass")
    if match["control"]:
        return bytes([ord(match["control"][0]) & 0x1F])
    character = match["char"]
    if character in _CHARACTERS:
        return _CHARACTERS[character].encode()
    return (character if character in "'\"\\?" else f"\\{character}").encode(
        "utf-8", "surrogatepass"
    )


def _is_array(text: str) -> bool:
    match = _ASSIGNMENT.match(text)
    return match is not None and match.end() == len(text)
