"""Parameters of R notebooks, as their parameters cells assign them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from nb2prod.notebook.parameter_source import SkippedParameter
from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.parameter_values import Parameter
from nb2prod.notebook.plain_parameters import (
    Assignment,
    TypeWord,
    UnfitDefault,
    Unreadable,
    parameters_of,
)
from nb2prod.notebook.r_literals import read_literal, read_text
from nb2prod.notebook.r_syntax import ASSIGNMENTS, Statement, Token, statements_of

_NUMBERS = frozenset({ParameterType.INTEGER, ParameterType.FLOAT})
_TEXTS = frozenset({ParameterType.STRING, ParameterType.PATH})
_WORDS: dict[str, TypeWord] = {
    "integer": TypeWord(type=ParameterType.INTEGER, fits=_NUMBERS),
    "numeric": TypeWord(type=ParameterType.FLOAT, fits=_NUMBERS),
    "logical": TypeWord(type=ParameterType.BOOLEAN, fits=frozenset({ParameterType.BOOLEAN})),
    "character": TypeWord(type=ParameterType.STRING, fits=_TEXTS),
    "path": TypeWord(type=ParameterType.PATH, fits=_TEXTS),
    "Date": TypeWord(type=ParameterType.DATE, fits=frozenset({ParameterType.DATE})),
    "POSIXct": TypeWord(type=ParameterType.DATETIME, fits=frozenset({ParameterType.DATETIME})),
    "list": TypeWord(type=ParameterType.DICT, fits=frozenset({ParameterType.DICT})),
}
_NAME = re.compile(r"(?:[^\W\d_]|\.(?![0-9]))[\w.]*")
_CHANGED = "it is changed after its assignment"
_IN_A_BLOCK = "it is assigned inside a block; assign it at the cell's top level"


def scan_r(source: str) -> tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]:
    """Find the parameters in an R cell; see `nb2prod.notebook.parameter_source.scan_parameters`.

    >>> parameters, _ = scan_r("alpha <- 0.5  # weight [0, 1]")
    >>> parameters[0].default, parameters[0].help, parameters[0].range_text
    (0.5, 'weight', '[0, 1]')
    """
    try:
        assignments = [found for item in statements_of(source) for found in _assignments(item)]
    except Unreadable as error:
        why = f"the cell is not valid R: {error}"
        return (), (SkippedParameter(name="", line=error.line, why=why),)
    return parameters_of(assignments, _WORDS, "NULL")


def _assignments(statement: Statement) -> Iterator[Assignment]:
    tokens = statement.tokens
    place = _assignment_place(tokens)
    if place is None:
        yield from _nested(tokens)
        return
    if tokens[place].text in ("->", "->>"):
        targets, value = tokens[place + 1 :], tokens[:place]
    else:
        targets, value = tokens[:place], tokens[place + 1 :]
    if len(targets) != 1 or targets[0].kind not in ("name", "text"):
        yield from _changed(targets)
        return
    inner = _assignment_place(value)
    if inner is not None and value[inner].text in ASSIGNMENTS:
        # a <- b <- 5
        yield from _assignments(Statement(value, statement.comment))
        value = value[inner + 1 :]
    if value and value[0].text in ("function", "\\"):
        return
    token = targets[0]
    name = read_text(token.text) if token.kind == "text" else token.text.strip("`")
    yield _assignment(name, value, statement)


def _assignment(name: str, value: Sequence[Token], statement: Statement) -> Assignment:
    line, comment = statement.line, statement.comment
    if not _NAME.fullmatch(name):
        why = "its name needs quotes; use letters, digits, dots and underscores"
        return Assignment(name=name, line=line, why=why)
    try:
        literal = read_literal(value)
    except UnfitDefault as error:
        return Assignment(name=name, line=line, why=str(error))
    return Assignment(name=name, line=line, literal=literal, comment=comment)


def _assignment_place(tokens: Sequence[Token]) -> int | None:
    """Return where a statement's own assignment is, outside of all brackets."""
    if tokens and tokens[0].text in ("if", "for", "while", "repeat", "{"):
        return None
    depth = 0
    for place, token in enumerate(tokens):
        if token.kind != "operator":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0 and token.text in (*ASSIGNMENTS, "->", "->>"):
            return place
    return None


def _nested(tokens: Sequence[Token]) -> Iterator[Assignment]:
    for token, after in pairwise(tokens):
        if token.kind == "name" and after.text in ("<-", "<<-"):
            yield Assignment(name=token.text.strip("`"), line=token.line, why=_IN_A_BLOCK)
        if token.text in ("->", "->>") and after.kind == "name":
            yield Assignment(name=after.text.strip("`"), line=after.line, why=_IN_A_BLOCK)


def _changed(targets: Sequence[Token]) -> Iterator[Assignment]:
    # names(x) <- …, x[1] <- …, x$a <- …: the first name that is no function's.
    for token, after in zip(targets, (*targets[1:], None), strict=True):
        if token.kind == "name" and (after is None or after.text != "("):
            yield Assignment(name=token.text.strip("`"), line=token.line, why=_CHANGED)
            return
