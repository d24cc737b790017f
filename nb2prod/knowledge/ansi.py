"""What a terminal would show of a text, as markup: colours, overwritten lines, and no more.

Colours and type faces (SGR, ECMA-48 §8.3.117) become classes. Carriage returns, backspaces and
"erase in line" act as they do on a terminal, so that a progress bar is shown as it ended. Every
other escape sequence is dropped; of a hyperlink (OSC 8) its text stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nb2prod.knowledge.text import show_directions

MAX_LINES = 2_000
MAX_LINE_LENGTH = 5_000
MAX_LENGTH = 1_000_000
# Only the last rewrites of a line can still be seen; a bar of hours has a hundred thousand.
_REWRITES_KEPT = 50

_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
# xterm's default palette, by which 256 colours and true colours are brought to sixteen.
_PALETTE = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
    (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
    (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
)  # fmt: skip
_CUBE = (0, 95, 135, 175, 215, 255)

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-9;:<=>?]{0,200})[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x08\x9b]"
)


@dataclass(frozen=True, slots=True)
class _Style:
    colour: int | None = None
    background: int | None = None
    faces: frozenset[str] = frozenset()

    @property
    def classes(self) -> str:
        names = [f"ansi-{face}" for face in sorted(self.faces)]
        if self.colour is not None:
            names.append(f"ansi-{_colour_name(self.colour)}")
        if self.background is not None:
            names.append(f"ansi-bg-{_colour_name(self.background)}")
        return " ".join(names)


_PLAIN = _Style()
_FACES = {1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_FACES_OFF = {
    22: frozenset({"bold", "faint"}),
    23: frozenset({"italic"}),
    24: frozenset({"underline"}),
    27: frozenset({"inverse"}),
    29: frozenset({"strike"}),
}


def to_html(text: str) -> str:
    r"""Return a text as markup, as a terminal would show it, shortened where it is very long.

    What is left out is said in its place, with its number of lines or characters.

    >>> to_html("\x1b[1;31mno\x1b[0m <b>")
    '<span class="ansi-bold ansi-red">no</span> &lt;b&gt;'
    >>> to_html("10 %\r100 %")
    '100 %'
    """
    lines = text.replace("\r\n", "\n").split("\n")
    head, left_out, tail = _shorten(lines)
    if not left_out:
        return "\n".join(_render(head))
    ending = "" if left_out == 1 else "s"
    notice = f'<span class="notice">… {left_out:,} line{ending} left out …</span>'
    return "\n".join((*_render(head), notice, *_render(tail)))


def to_plain(text: str) -> str:
    r"""Return what a terminal would show, without colours.

    >>> to_plain("\x1b[1;31mno\x1b[0m")
    'no'
    """
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("".join(char for char, _ in _screen(line, _PLAIN)[0]) for line in lines)


def is_shortened(text: str) -> bool:
    """Tell whether `to_html` leaves out a part of this text."""
    lines = text.replace("\r\n", "\n").split("\n")
    return bool(_shorten(lines)[1]) or any(len(line) > MAX_LINE_LENGTH for line in lines)


def _shorten(lines: list[str]) -> tuple[list[str], int, list[str]]:
    """Return the first lines, how many are left out, and the last lines."""
    total = sum(min(len(line), MAX_LINE_LENGTH) for line in lines)
    if len(lines) <= MAX_LINES and total <= MAX_LENGTH:
        return lines, 0, []
    head = _first(lines, MAX_LINES // 2, MAX_LENGTH // 2)
    tail = _first(lines[: head - 1 : -1], MAX_LINES // 2, MAX_LENGTH // 2)
    return lines[:head], len(lines) - head - tail, lines[len(lines) - tail :]


def _first(lines: list[str], count: int, length: int) -> int:
    used = 0
    for number, line in enumerate(lines[:count]):
        used += min(len(line), MAX_LINE_LENGTH)
        if used > length:
            return number
    return min(count, len(lines))


def _render(lines: list[str]) -> Iterator[str]:
    style = _PLAIN
    for line in lines:
        if style == _PLAIN and not _SEQUENCE.search(line) and "\r" not in line:
            yield _cut(show_directions(html.escape(line[:MAX_LINE_LENGTH])), len(line))
        else:
            cells, style = _screen(line, style)
            yield _cut("".join(_runs(cells[:MAX_LINE_LENGTH])), len(cells))


def _cut(markup: str, length: int) -> str:
    if length <= MAX_LINE_LENGTH:
        return markup
    left_out = length - MAX_LINE_LENGTH
    return f'{markup}<span class="notice">… {left_out:,} characters left out</span>'


def _runs(cells: list[tuple[str, _Style]]) -> Iterator[str]:
    start = 0
    for place in range(1, len(cells) + 1):
        if place == len(cells) or cells[place][1] != cells[start][1]:
            text = show_directions(html.escape("".join(char for char, _ in cells[start:place])))
            classes = cells[start][1].classes
            yield f'<span class="{classes}">{text}</span>' if classes else text
            start = place


def _screen(line: str, style: _Style) -> tuple[list[tuple[str, _Style]], _Style]:
    """Return what a terminal shows of a line, and the style that it ends with."""
    cells: list[tuple[str, _Style]] = []
    for rewrite in line.split("\r")[-_REWRITES_KEPT:]:
        cursor = done = 0
        for match in _SEQUENCE.finditer(rewrite):
            cursor = _write(cells, cursor, rewrite[done : match.start()], style)
            done = match.end()
            if match[0] == "\x08":
                cursor = max(0, cursor - 1)
            elif match["final"] == "m":
                style = _restyle(style, match["parameters"])
            elif match["final"] == "K":
                _erase(cells, cursor, match["parameters"])
        _write(cells, cursor, rewrite[done:], style)
    return cells, style


def _write(cells: list[tuple[str, _Style]], cursor: int, text: str, style: _Style) -> int:
    cells[cursor : cursor + len(text)] = [(char, style) for char in text]
    return cursor + len(text)


def _erase(cells: list[tuple[str, _Style]], cursor: int, how: str) -> None:
    if how in ("", "0"):
        del cells[cursor:]
    elif how == "2":
        cells[:] = [(" ", _PLAIN)] * cursor


def _restyle(style: _Style, parameters: str) -> _Style:
    if not re.fullmatch(r"[0-9;:]*", parameters):
        return style
    codes = [int(part[:6] or 0) for part in re.split("[;:]", parameters)]
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour = _extended(codes)
            style = (
                replace(style, colour=colour) if code == 38 else replace(style, background=colour)
            )
        else:
            style = _apply(style, code)
    return style


def _apply(style: _Style, code: int) -> _Style:  # noqa: PLR0911 - one line a group of codes
    if code == 0:
        return _PLAIN
    if code in _FACES:
        return replace(style, faces=style.faces | {_FACES[code]})
    if code in _FACES_OFF:
        return replace(style, faces=style.faces - _FACES_OFF[code])
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(style, colour=code - 30 if code < 40 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(style, background=code - 40 if code < 50 else code - 92)
    if code == 39:
        return replace(style, colour=None)
    if code == 49:
        return replace(style, background=None)
    return style


def _extended(codes: list[int]) -> int | None:
    """Take the rest of a colour (``5;n`` or ``2;r;g;b``) and return the nearest of sixteen."""
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return _of_256(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest(red, green, blue)
    return None


def _of_256(number: int) -> int | None:
    if number < 16:
        return number
    if number < 232:
        red, rest = divmod(number - 16, 36)
        return _nearest(_CUBE[red], _CUBE[rest // 6], _CUBE[rest % 6])
    if number < 256:
        grey = 8 + 10 * (number - 232)
        return _nearest(grey, grey, grey)
    return None


def _nearest(red: int, green: int, blue: int) -> int:
    def distance(number: int) -> int:
        r, g, b = _PALETTE[number]
        return (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2

    return min(range(16), key=distance)


def _colour_name(number: int) -> str:
    return _COLOURS[number] if number < 8 else f"bright-{_COLOURS[number - 8]}"
