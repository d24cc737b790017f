r"""JSON as databases can keep it and look into it, exactly as it was.

Python's JSON has values that no database reads: NaN and the infinities (SQLite and PostgreSQL find
the whole document malformed), NUL and halves of characters in texts (PostgreSQL does). They are
written as texts that begin with, or have, a character that stands for nothing in Unicode's private
area, and become themselves again when they are read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

# U+10FFFD, private for ever, before four hexadecimal digits or the name of a number.
ESCAPE = "\U0010fffd"
_NUMBERS = {f"{ESCAPE}{name}": float(name) for name in ("nan", "inf", "-inf")}
_UNREADABLE = re.compile(f"[\x00\ud800-\udfff{ESCAPE}]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")
# As ASCII, where NUL and halves are escapes; a whole character's halves are found needlessly.
_SUSPECT = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")
_ESCAPE_AS_ASCII = json.dumps(ESCAPE)[1:-1]


def dump_json(value: Any) -> str:
    r"""Write a value as JSON that a database can read.

    >>> dump_json({"alpha": 0.2, "note": "é"})
    '{"alpha": 0.2, "note": "\\u00e9"}'
    >>> load_json(dump_json([float("inf"), "a\x00", "\ud800"])) == [float("inf"), "a\x00", "\ud800"]
    True
    """
    text = json.dumps(value)
    return json.dumps(_changed(value, _escaped)) if _SUSPECT.search(text) else text


def load_json(content: str | bytes) -> Any:
    """Read what `dump_json` wrote, or any JSON of Python's; drivers give it as text or UTF-8."""
    text = content if isinstance(content, str) else content.decode()
    value = json.loads(text)
    if _ESCAPE_AS_ASCII in text or ESCAPE in text:
        return _changed(value, _plain)
    return value


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(key): _changed(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_changed(item, change) for item in value]
    return change(value)


def _escaped(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{ESCAPE}{value}"
    if isinstance(value, str):
        return _UNREADABLE.sub(lambda match: _digits(match[0]), value)
    return value


def _digits(char: str) -> str:
    return f"{ESCAPE}{'fffd' if char == ESCAPE else format(ord(char), '04x')}"


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in _NUMBERS:
        return _NUMBERS[value]
    return _ESCAPED.sub(
        lambda match: ESCAPE if match[1] == "fffd" else chr(int(match[1], 16)), value
    )
