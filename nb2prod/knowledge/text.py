"""Text from outside made harmless as text: no broken characters, no hidden directions."""

from __future__ import annotations

import html
import re
import unicodedata

# Characters that we put between our own markup and theirs while a text is being cleaned and
# searched; so nobody else's text may hold one.
INSERT_OPEN, INSERT_CLOSE = "\ue000", "\ue001"

_SURROGATES = re.compile("[\ud800-\udfff]")
# C0 and C1 without tab, newline, and what terminals act on (backspace, return, escape, CSI).
_CONTROLS = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9a\x9c-\x9f]")
_TERMINAL = re.compile("[\x08\r\x1b\x9b]")
# They make a line read in another order than it is (CVE-2021-42574).
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)[^>]*>")
_INLINE_TAGS = frozenset(
    {
        "a",
        "abbr",
        "b",
        "code",
        "em",
        "i",
        "kbd",
        "mark",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
    }
)


def as_text(value: object) -> str | None:
    r"""Return a notebook's text, which may be a list of its lines; `None` if it is neither.

    >>> as_text(["a\n", "b"]), as_text({"a": 1})
    ('a\nb', None)
    """
    if isinstance(value, str):
        return repair(value)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return repair("".join(value))
    return None


def repair(text: str) -> str:
    """Return a text that UTF-8 can hold, without control characters and our own marks.

    What a terminal acts on (escape, backspace, carriage return) is kept: see `ansi`.
    """
    text = _SURROGATES.sub("\ufffd", text)
    text = _CONTROLS.sub("", text)
    return text.replace(INSERT_OPEN, "\ufffd").replace(INSERT_CLOSE, "\ufffd")


def plain(text: str) -> str:
    """Return a text for prose: lines end with a newline, and nothing in it turns directions."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _DIRECTIONS.sub("", _TERMINAL.sub("", text))


def one_line(value: object, limit: int) -> str:
    r"""Return a name or title as one line of visible characters, cut at ``limit``.

    >>> one_line("  two\nlines\u202e ", 40)
    'two lines'
    >>> one_line("a long title", 7)
    'a long…'
    """
    text = repair(value if isinstance(value, str) else str(value))
    spaced = "".join(" " if char.isspace() else char for char in text)
    visible = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    words = " ".join(visible.split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def escape(text: str) -> str:
    """Return a text as markup; characters that turn directions are shown by their number."""
    return show_directions(html.escape(text))


def show_directions(markup: str) -> str:
    """Show by their number the characters that would turn the order of what is read."""
    return _DIRECTIONS.sub(
        lambda match: f'<span class="control">U+{ord(match[0]):04X}</span>', markup
    )


def text_of(markup: str) -> str:
    """Return the text of clean markup; blocks and cells are separated by a space."""
    spaced = _TAG.sub(lambda match: "" if match[2] in _INLINE_TAGS else " ", markup)
    return " ".join(html.unescape(spaced).split())
