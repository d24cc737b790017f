"""What is written out in R's source, as values: nothing is computed.

Numbers, texts, ``TRUE``, ``NULL``, ``c(…)``, ``list(…)``, ``as.Date("…")``, ``as.POSIXct("…")``,
``file.path("…")``, and the missing values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.plain_parameters import Literal, UnfitDefault, common_type
from nb2prod.notebook.r_syntax import Token

# R's integers have 32 bits, and the least number of them is its NA.
LARGEST_INTEGER = 2**31 - 1

_CONSTANTS: Mapping[str, Literal] = {
    "TRUE": Literal(value=True, type=ParameterType.BOOLEAN),
    "T": Literal(value=True, type=ParameterType.BOOLEAN),
    "FALSE": Literal(value=False, type=ParameterType.BOOLEAN),
    "F": Literal(value=False, type=ParameterType.BOOLEAN),
    "Inf": Literal(value=math.inf, type=ParameterType.FLOAT),
    "NaN": Literal(value=math.nan, type=ParameterType.FLOAT),
    "NULL": Literal(value=None, type=None),
}
_MISSING: Mapping[str, Literal] = {
    "NA": Literal(value=None, type=None),
    "NA_integer_": Literal(value=None, type=ParameterType.INTEGER),
    "NA_real_": Literal(value=None, type=ParameterType.FLOAT),
    "NA_character_": Literal(value=None, type=ParameterType.STRING),
}
_EMPTY = {
    "character": ParameterType.STRING,
    "integer": ParameterType.INTEGER,
    "numeric": ParameterType.FLOAT,
    "double": ParameterType.FLOAT,
    "logical": ParameterType.BOOLEAN,
}
_SIMPLE = frozenset(_EMPTY.values())
_NOW = (
    'it is the time of the run; write a day, as in `as.Date("2024-01-31")`, and set it for each run'
)
_COMPUTED = {
    "Sys.Date": _NOW,
    "Sys.time": _NOW,
    "Sys.getenv": "it is read from the environment; write its usual value, and set another one for"
    " a run as a parameter (a password as a secret)",
    "getwd": 'it depends on the machine; write a path from the run\'s folder, as in `"data"`',
    "commandArgs": "a run has no command line; write its usual value",
    ":": "a sequence is computed; write it out, as in `c(1L, 2L, 3L)`",
    "seq": "a sequence is computed; write it out, as in `c(1L, 2L, 3L)`",
}
_RAW_TEXT = re.compile(
    r"[rR](?P<quote>[\"'])(?P<dashes>-*)[(\[{](?P<text>.*)[)\]}](?P=dashes)(?P=quote)", re.DOTALL
)
_ESCAPE = re.compile(
    r"\\(?:[uU]\{(?P<braced>[0-9a-fA-F]{1,8})\}|u(?P<short>[0-9a-fA-F]{1,4})"
    r"|U(?P<long>[0-9a-fA-F]{1,8})|x(?P<byte>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})|(?P<char>.))",
    re.DOTALL,
)
_CHARACTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}( \d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,6}})?)?)?")

_Arguments = list[tuple[str, Literal]]


def read_literal(tokens: Sequence[Token]) -> Literal:
    """Read a value; raises `UnfitDefault` where it is computed, or has no JSON form.

    >>> from nb2prod.notebook.r_syntax import tokens_of
    >>> read_literal(tokens_of("c(1,2.5)")).value
    [1.0, 2.5]
    """
    reader = _Reader(tokens)
    literal = reader.value(is_item=False)
    if not reader.is_done:
        raise reader.computed()
    return literal


def read_text(source: str) -> str:
    r"""Return the text that a text in R's source stands for.

    >>> read_text(r"'it\'s \u00fc'")
    "it's ü"
    """
    raw = _RAW_TEXT.fullmatch(source)
    return raw["text"] if raw else _ESCAPE.sub(_unescaped, source[1:-1])


class _Reader:
    """Goes through the tokens of one expression, once."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def is_done(self) -> bool:
        return self._place >= len(self._tokens)

    def computed(self) -> UnfitDefault:
        known = (_COMPUTED[token.text] for token in self._tokens if token.text in _COMPUTED)
        return UnfitDefault(next(known, "its default is computed; write out the value itself"))

    def value(self, *, is_item: bool) -> Literal:
        token = self._take()
        if token.kind == "number":
            return _number(token.text)
        if token.kind == "text":
            return Literal(value=read_text(token.text), type=ParameterType.STRING)
        if token.kind == "operator" and token.text in ("+", "-"):
            return self._signed(token.text)
        if token.kind == "name" and self._next() == "(":
            return self._called(token.text)
        if token.text in _MISSING and is_item:
            raise UnfitDefault("NA inside of a vector or list has no JSON form")
        known = _CONSTANTS.get(token.text) or _MISSING.get(token.text)
        if known is None:
            raise self.computed()
        return known

    def _signed(self, sign: str) -> Literal:
        literal = self.value(is_item=False)
        number = literal.value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise self.computed()
        return Literal(value=-number if sign == "-" else number, type=literal.type)

    def _called(self, function: str) -> Literal:
        if function in _EMPTY:
            return _empty(function, self._arguments())
        if function not in _CALLS:
            raise self.computed()
        return _CALLS[function](self._arguments())

    def _arguments(self) -> _Arguments:
        self._take()
        found: _Arguments = []
        while self._next() != ")":
            name = ""
            if self._next(1) == "=":
                token = self._take()
                name = read_text(token.text) if token.kind == "text" else token.text.strip("`")
                self._take()
            found.append((name, self.value(is_item=True)))
            if self._next() == ",":
                self._take()
            elif self._next() != ")":
                raise self.computed()
        self._take()
        return found

    def _take(self) -> Token:
        if self.is_done:
            raise self.computed()
        self._place += 1
        return self._tokens[self._place - 1]

    def _next(self, offset: int = 0) -> str:
        place = self._place + offset
        return self._tokens[place].text if place < len(self._tokens) else ""


def _number(text: str) -> Literal:
    if text.endswith("i"):
        raise UnfitDefault("a complex number has no JSON form")
    plain = text.removesuffix("L")
    number = float(int(plain, 16)) if plain[:2] in ("0x", "0X") else float(plain)
    if plain == text:
        return Literal(value=number, type=ParameterType.FLOAT)
    if not number.is_integer() or number > LARGEST_INTEGER:
        raise UnfitDefault(f"`{text}` is no integer of R's")
    return Literal(value=int(number), type=ParameterType.INTEGER)


def _unescaped(match: re.Match[str]) -> str:
    digits = match["braced"] or match["short"] or match["long"] or match["byte"]
    if not digits and not match["octal"]:
        return _CHARACTERS.get(match["char"], match["char"])
    number = int(digits, 16) if digits else int(match["octal"], 8)
    if number > 0x7F and (match["byte"] or match["octal"]):
        raise UnfitDefault("its text has bytes that are no characters; write them with `\\u`")
    if number == 0 or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise UnfitDefault(f"its text has a character that no text can have: `{match[0]}`")
    return chr(number)


def _vector(arguments: _Arguments) -> Literal:
    if not arguments:
        return _CONSTANTS["NULL"]
    if any(name for name, _ in arguments):
        raise UnfitDefault("a vector with names has no JSON form; write `list(a = 1)`")
    items: list[tuple[object, ParameterType | None]] = []
    for _, literal in arguments:
        if literal.type is ParameterType.LIST and isinstance(literal.value, list):
            items += [(value, literal.item_type) for value in literal.value]
        else:
            items.append((literal.value, literal.type))
    kind = common_type(kind for _, kind in items)
    if kind is None or kind is ParameterType.DICT:
        raise UnfitDefault("the items of its vector are not all of one type; write `list(…)`")
    values = [value for value, _ in items]
    if kind is ParameterType.FLOAT:
        values = [float(value) for value in values if isinstance(value, int | float)]
    return Literal(value=values, type=ParameterType.LIST, item_type=kind)


def _list(arguments: _Arguments) -> Literal:
    for _, literal in arguments:
        kind = literal.item_type or literal.type
        # Only what JSON has, and what comes back from there as the same.
        if kind is ParameterType.LIST:
            raise UnfitDefault("a `list` without names inside of another: write `c(…)`")
        if kind is not None and kind not in {*_SIMPLE, ParameterType.DICT}:
            raise UnfitDefault(f"a {kind.value} inside of `list(…)` has no JSON form")
    names = [name for name, _ in arguments]
    values = [literal.value for _, literal in arguments]
    if not any(names):
        return Literal(value=values, type=ParameterType.LIST)
    if not all(names) or len(set(names)) < len(names):
        raise UnfitDefault("a list has names for none of its items, or different ones for all")
    return Literal(value=dict(zip(names, values, strict=True)), type=ParameterType.DICT)


def _empty(function: str, arguments: _Arguments) -> Literal:
    if any(literal.value != 0 for _, literal in arguments):
        raise UnfitDefault(f"`{function}` makes values that are not written out; write `c(…)`")
    return Literal(value=[], type=ParameterType.LIST, item_type=_EMPTY[function])


def _date(arguments: _Arguments) -> Literal:
    texts = _texts(arguments, "as.Date", 'as.Date("2024-01-31")')
    for text in texts:
        try:
            is_day = bool(_DAY.fullmatch(text)) and bool(date.fromisoformat(text))
        except ValueError:
            is_day = False
        if not is_day:
            raise UnfitDefault(f'{text!r} is no day; write `as.Date("2024-01-31")`')
    if arguments[0][1].type is ParameterType.LIST:
        return Literal(value=texts, type=ParameterType.LIST, item_type=ParameterType.DATE)
    return Literal(value=texts[0], type=ParameterType.DATE)


def _datetime(arguments: _Arguments) -> Literal:
    example = 'as.POSIXct("2024-01-31 12:00", tz = "UTC")'
    zones = [literal.value for name, literal in arguments if name == "tz"]
    texts = _texts([item for item in arguments if item[0] != "tz"], "as.POSIXct", example)
    is_moment = len(texts) == 1 and _MOMENT.fullmatch(texts[0]) and zones in ([], ["UTC"])
    try:
        moment = datetime.fromisoformat(texts[0] if is_moment else "")
    except ValueError:
        raise UnfitDefault(f"write one moment, without a zone or in UTC: `{example}`") from None
    moment = moment.replace(tzinfo=UTC) if zones else moment
    return Literal(value=moment.isoformat(), type=ParameterType.DATETIME)


def _path(arguments: _Arguments) -> Literal:
    parts = [
        _texts([argument], "file.path", 'file.path("data", "x.csv")') for argument in arguments
    ]
    if not parts or any(len(part) != 1 for part in parts):
        raise UnfitDefault("its path is not one path")
    return Literal(value="/".join(part[0] for part in parts), type=ParameterType.PATH)


def _texts(arguments: _Arguments, function: str, example: str) -> list[str]:
    """Return the texts of the only argument: one, or those of a vector."""
    if len(arguments) == 1 and not arguments[0][0]:
        literal = arguments[0][1]
        if literal.type is ParameterType.STRING:
            return [str(literal.value)]
        if literal.item_type is ParameterType.STRING and isinstance(literal.value, list):
            return [str(item) for item in literal.value]
    raise UnfitDefault(f"`{function}` is given more than a text; write `{example}`")


_CALLS: dict[str, Callable[[_Arguments], Literal]] = {
    "c": _vector,
    "list": _list,
    "as.Date": _date,
    "as.POSIXct": _datetime,
    "file.path": _path,
}
