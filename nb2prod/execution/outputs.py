"""The outputs of one cell, gathered from messages as a Jupyter front end gathers them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nb2prod.execution.events import output_text

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass
class CellOutputs:
    """Outputs in their order; neighbouring pieces of one stream become one output."""

    _outputs: list[dict[str, Any]] = field(default_factory=list)
    # Pieces of the last output where it is a stream: joined once, at the end, because adding
    # to a string a hundred thousand times takes time by the square.
    _pieces: list[str] = field(default_factory=list)
    _will_clear: bool = False

    def add(self, output: dict[str, Any]) -> None:
        """Add an output; the same object is kept, so that a display can be updated."""
        if self._will_clear:
            self._empty()
        if output.get("output_type") != "stream":
            self._join()
            self._outputs.append(output)
            return
        last = self._outputs[-1] if self._outputs and self._pieces else None
        if last is None or last["name"] != output["name"]:
            self._join()
            self._outputs.append(output)
        self._pieces.append(output_text(output))

    def clear(self, *, is_waiting: bool) -> None:
        """Drop all outputs, now or (``is_waiting``) when the next one comes."""
        if is_waiting:
            self._will_clear = True
        else:
            self._empty()

    def settled(self) -> list[dict[str, Any]]:
        """Return the outputs, the streams as a terminal would show them."""
        self._join()
        return self._outputs

    def _empty(self) -> None:
        self._outputs.clear()
        self._pieces.clear()
        self._will_clear = False

    def _join(self) -> None:
        if self._pieces:
            self._outputs[-1]["text"] = overwritten("".join(self._pieces))
            self._pieces.clear()


def overwritten(text: str) -> str:
    r"""Return a text as a terminal shows it after its carriage returns and backspaces.

    >>> overwritten("10 %\r100 %\nab\bc")
    '100 %\nac'
    """
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(map(_overwritten_line, text.replace("\r\n", "\n").split("\n")))


def log_text(output: Mapping[str, Any]) -> str:
    """Return what a log says of an output: streams and tracebacks, without colours."""
    kind = output.get("output_type")
    if kind == "stream":
        return without_ansi(output_text(output))
    if kind == "error":
        return without_ansi(output_text(output)).rstrip("\n") + "\n"
    return ""


def without_ansi(text: str) -> str:
    r"""Return a text without the codes by which terminals are told colours and places.

    >>> without_ansi("\x1b[31mred\x1b[0m")
    'red'
    """
    return _ANSI.sub("", text)


def _overwritten_line(line: str) -> str:
    if "\r" not in line and "\b" not in line:
        return line
    shown: list[str] = []
    column = 0
    for character in line:
        if character == "\r":
            column = 0
        elif character == "\b":
            column = max(0, column - 1)
        elif column < len(shown):
            shown[column] = character
            column += 1
        else:
            shown.append(character)
            column += 1
    return "".join(shown)
