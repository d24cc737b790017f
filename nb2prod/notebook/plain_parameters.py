"""Parameters of languages that have no annotations: R, bash.

What is assigned says its type, and the comment behind it says the rest: the help, a type where the
default has none (``# type: integer, no more rows than this``), the range of a number
(``# days ahead [1, 28]``), the allowed values of anything else (``# airport {JFK, LGA}``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.parameter_comments import split_type, with_range
from nb2prod.notebook.parameter_source import MAX_DEFAULT_CHARS, SkippedParameter
from nb2prod.notebook.parameter_types import TYPES, ParameterType, UnfitValue
from nb2prod.notebook.parameter_values import Parameter, read_value

_CHOICES = re.compile(r"\{(?P<items>[^{}]*)\}\Z")
_TYPE_WORD = re.compile(r"(?P<word>[\w.]+)[,;:.]?\s*(?P<help>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Literal:
    """What is written out in the source.

    Parameters
    ----------
    value
        A JSON value; a date is ISO 8601 text.
    type
        `None` where the value says nothing of it, as R's ``NULL``.
    item_type
        For a list: the type of its items; `None` where they may be anything.
    """

    value: object
    type: ParameterType | None
    item_type: ParameterType | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A name that the cell assigns; `literal` is `None` where ``why`` says why it can't be read."""

    name: str
    line: int
    literal: Literal | None = None
    comment: str = ""
    why: str = ""


class Unreadable(ValueError):
    """A cell is not valid in its language; the text says why, and ``line`` where."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.line = line


class UnfitDefault(ValueError):
    """A default is not written out, or has no JSON form; the text says what it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeWord:
    """A word for a type in a comment, and the types of defaults that it may stand beside."""

    type: ParameterType
    fits: frozenset[ParameterType]


def parameters_of(
    assignments: Iterable[Assignment], words: Mapping[str, TypeWord], none: str
) -> tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]:
    """Make parameters of what a cell assigns; the last assignment of a name counts.

    Parameters
    ----------
    words
        The language's words for types, as they stand behind ``# type:``.
    none
        How the language writes that there is no value.
    """
    found: dict[str, Parameter] = {}
    skipped: dict[str, SkippedParameter] = {}
    for assignment in assignments:
        name = assignment.name
        try:
            parameter = _parameter(assignment, words, none)
        except UnfitDefault as reason:
            found.pop(name, None)
            skipped[name] = SkippedParameter(name=name, line=assignment.line, why=str(reason))
        else:
            skipped.pop(name, None)
            found[name] = parameter
    return tuple(found.values()), tuple(skipped.values())


def common_type(types: Iterable[ParameterType | None]) -> ParameterType | None:
    """Return the one type that all items have; whole numbers among others become those.

    >>> common_type([ParameterType.INTEGER, ParameterType.FLOAT])
    <ParameterType.FLOAT: 'float'>
    """
    kinds = set(types)
    if kinds == {ParameterType.INTEGER, ParameterType.FLOAT}:
        return ParameterType.FLOAT
    return kinds.pop() if len(kinds) == 1 else None


def _parameter(assignment: Assignment, words: Mapping[str, TypeWord], none: str) -> Parameter:
    literal = assignment.literal
    if literal is None:
        raise UnfitDefault(assignment.why)
    if len(repr(literal.value)) > MAX_DEFAULT_CHARS:
        raise UnfitDefault(
            f"its default takes more than {MAX_DEFAULT_CHARS:,} characters; keep it in a file, and"
            " make the file's path a parameter"
        )
    said, help_text = _said_type(assignment.comment, words)
    kind = literal.type
    if said is not None:
        if kind is not None and kind not in said.fits:
            raise UnfitDefault(
                f"its comment says {said.type.value}, but its default is {TYPES[kind].noun}"
            )
        kind = said.type
    value = literal.value
    if value == "" and kind is not None and not TYPES[kind].is_text:
        # How bash says that there is no value.
        value = None
    if kind is None:
        raise UnfitDefault(
            f"`{none}` says nothing of its type; say it behind, as in"
            f" `# type: {next(iter(words))}, what it is for`"
        )
    parameter = Parameter(
        assignment.name,
        kind,
        value,
        help=help_text,
        is_optional=value is None,
        item_type=literal.item_type,
    )
    try:
        checked = replace(parameter, default=read_value(parameter, value))
    except ParameterInvalid as error:
        raise UnfitDefault(f"its default does not fit its type: {error.message}") from None
    return _with_choices(with_range(checked))


def _said_type(comment: str, words: Mapping[str, TypeWord]) -> tuple[TypeWord | None, str]:
    pairs, help_text = split_type(comment)
    if not pairs:
        return None, help_text
    said, behind = pairs[0]
    match = _TYPE_WORD.match(f"{said} {behind}".strip())
    word = words.get(match["word"]) if match else None
    if word is None or match is None:
        shown = match["word"] if match else said
        raise UnfitDefault(f"its type {shown!r} is not one for parameters: use {', '.join(words)}")
    return word, match["help"]


def _with_choices(parameter: Parameter) -> Parameter:
    found = _CHOICES.search(parameter.help)
    kind = parameter.item_type or parameter.type
    if found is None or kind in (ParameterType.LIST, ParameterType.DICT, ParameterType.BOOLEAN):
        return parameter
    items = [item.strip().strip("\"'") for item in found["items"].split(",")]
    try:
        chosen = replace(
            parameter,
            choices=tuple(TYPES[kind].read(item, None) for item in items),
            help=parameter.help[: found.start()].rstrip(" ,;:"),
            minimum=None,
            maximum=None,
        )
        read_value(chosen, chosen.default)
    except (UnfitValue, ParameterInvalid):
        # These are no values, or the author's own default is none of them: part of the text.
        return parameter
    return chosen


def changed_values(
    parameters: Iterable[Parameter], values: Mapping[str, object]
) -> Iterator[tuple[Parameter, object]]:
    """Return the parameters that have another value than their default, and that value."""
    for parameter in parameters:
        value = values.get(parameter.name, parameter.default)
        # By their text, since `1 == True`, and no NaN equals itself.
        if repr(value) != repr(parameter.default):
            yield parameter, value
