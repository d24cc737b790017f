"""Parameters of bash notebooks: read from the parameters cell, written for the injected one.

bash itself knows texts only. So a type is what the author's text looks like: ``n=10`` is a whole
number, ``alpha=0.5`` a number, ``flag=true`` a truth value, ``zip="01234"`` and all else a text,
``days=(1 2 3)`` a list. ``declare -i`` says whole number itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.bash_syntax import Command, read_bash
from nb2prod.notebook.bash_words import Word
from nb2prod.notebook.parameter_source import SkippedParameter
from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.parameter_values import Parameter
from nb2prod.notebook.plain_parameters import (
    Assignment,
    Literal,
    TypeWord,
    UnfitDefault,
    Unreadable,
    changed_values,
    common_type,
    parameters_of,
)

_SCALARS = frozenset(set(ParameterType) - {ParameterType.LIST, ParameterType.DICT})
_WORDS: dict[str, TypeWord] = {
    kind.value: TypeWord(type=kind, fits=_SCALARS) for kind in ParameterType if kind in _SCALARS
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|-?[0-9]+[eE][-+]?[0-9]+")
_BOOLEANS = {"true": True, "false": False}
_BARE = re.compile(r"[\w@%+:,./-]+", re.ASCII)
_DECLARING = frozenset({"declare", "typeset", "export", "readonly"})
_MAY_EXPAND = re.compile(r"[*?\[\]{}]")
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}
_CHANGED = "it is changed after its assignment"
_IN_A_BLOCK = "it is assigned inside a block; assign it at the cell's top level"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Flags:
    """What a declaration says of its names."""

    is_integer: bool = False
    why: str = ""


def scan_bash(source: str) -> tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]:
    """Find the parameters in a bash cell; see `nb2prod.notebook.parameter_source.scan_parameters`.

    >>> parameters, _ = scan_bash('n=10  # flights [1, 100]')
    >>> parameters[0].default, parameters[0].help, parameters[0].range_text
    (10, 'flights', '[1, 100]')
    """
    try:
        commands = read_bash(source).commands
    except Unreadable as error:
        why = f"the cell is not valid bash: {error}"
        return (), (SkippedParameter(name="", line=error.line, why=why),)
    return parameters_of((found for item in commands for found in _assignments(item)), _WORDS, "''")


def write_bash(parameters: Iterable[Parameter], values: Mapping[str, object]) -> str:
    r"""Write the source of the injected-parameters cell: what differs from the cell above it.

    A value that is as the author wrote it is not written again: ``0.50`` stays that text. Whatever
    a text holds, bash takes it as it is.

    Raises
    ------
    ParameterInvalid
        bash has no such value.

    Examples
    --------
    >>> write_bash([Parameter("market", ParameterType.STRING, "")], {"market": "it's $1"})
    "market='it'\\''s $1'"
    """
    return "\n".join(
        f"{parameter.name}={_value(parameter, value)}"
        for parameter, value in changed_values(parameters, values)
    )


# Reading


def _assignments(command: Command) -> Iterator[Assignment]:
    if command.is_in_function:
        return
    flags, words = _declared(command.words)
    if flags is None and not all(word.assigned for word in words):
        # `name=value program` is for the program alone.
        return
    for word in words:
        match = word.assigned
        line = word.line
        if match is None:
            if word.source.isidentifier():
                yield Assignment(name=word.source, line=line, why="it has no default")
        elif command.is_nested:
            yield Assignment(name=match["name"], line=line, why=_IN_A_BLOCK)
        elif match["plus"] or match["index"]:
            yield Assignment(name=match["name"], line=line, why=_CHANGED)
        else:
            yield _assignment(word, match, command, flags or _Flags())


def _declared(words: Sequence[Word]) -> tuple[_Flags | None, Sequence[Word]]:
    if not words or words[0].source not in _DECLARING:
        return None, words
    options = [word.source for word in words[1:] if word.source.startswith("-")]
    letters = "".join(options)
    why = ""
    if words[0].source == "readonly" or "r" in letters:
        why = "it is read-only, so that no run could give it another value"
    elif "A" in letters:
        why = "an array with names has no form in bash that a run could write; use several names"
    elif set("luncf") & set(letters):
        why = f"`{words[0].source} {' '.join(options)}` changes what it is given"
    rest = [word for word in words[1:] if not word.source.startswith("-")]
    return _Flags(is_integer="i" in letters, why=why), rest


def _assignment(word: Word, match: re.Match[str], command: Command, flags: _Flags) -> Assignment:
    name = match["name"]
    try:
        literal = _array(word.items) if word.items is not None else _scalar(word, len(match[0]))
    except UnfitDefault as error:
        return Assignment(name=name, line=word.line, why=flags.why or str(error))
    why = flags.why
    if flags.is_integer and literal.type is not ParameterType.INTEGER:
        why = why or "`declare -i` computes its default; write a whole number"
    if why:
        return Assignment(name=name, line=word.line, why=why)
    return Assignment(name=name, line=word.line, literal=literal, comment=command.comment)


def _scalar(word: Word, start: int = 0) -> Literal:
    text = word.value
    if text is None:
        raise UnfitDefault("its default is computed; write out the value itself")
    text = text[start:]
    if not word.is_quoted and text.startswith("~"):
        raise UnfitDefault("`~` depends on the machine; write a path from the run's folder")
    if word.is_quoted:
        return Literal(value=text, type=ParameterType.STRING)
    return Literal(value=_typed(text), type=_kind(text))


def _array(items: tuple[Word, ...]) -> Literal:
    for item in items:
        if not item.is_quoted and (item.assigned or _MAY_EXPAND.search(item.source)):
            raise UnfitDefault(f"bash may make something else of `{item.source}`; write it quoted")
    literals = [_scalar(item) for item in items]
    kind = common_type(literal.type for literal in literals)
    if kind is None or any(item.is_quoted for item in items):
        texts = [item.value for item in items]
        return Literal(value=texts, type=ParameterType.LIST, item_type=ParameterType.STRING)
    values = [literal.value for literal in literals]
    if kind is ParameterType.FLOAT:
        values = [float(value) for value in values if isinstance(value, int | float)]
    return Literal(value=values, type=ParameterType.LIST, item_type=kind)


def _kind(text: str) -> ParameterType:
    if _INTEGER.fullmatch(text):
        return ParameterType.INTEGER
    if _FLOAT.fullmatch(text):
        return ParameterType.FLOAT
    return ParameterType.BOOLEAN if text in _BOOLEANS else ParameterType.STRING


def _typed(text: str) -> object:
    kind = _kind(text)
    if kind is ParameterType.INTEGER:
        return int(text)
    if kind is ParameterType.FLOAT:
        return float(text)
    return _BOOLEANS.get(text, text)


# Writing


def _value(parameter: Parameter, value: object) -> str:
    if value is None:
        return "''"
    if isinstance(value, list):
        is_text = parameter.item_type is ParameterType.STRING
        return f"({' '.join(_word(parameter, item, is_text=is_text) for item in value)})"
    return _word(parameter, value, is_text=parameter.type is ParameterType.STRING)


def _word(parameter: Parameter, value: object, *, is_text: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return _quoted(parameter, str(value), is_text=is_text)


def _quoted(parameter: Parameter, text: str, *, is_text: bool) -> str:
    if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise ParameterInvalid(
            f"Parameter {parameter.name} has a character in {text!r} which no text in bash can"
            " have.",
            parameter=parameter.name,
        )
    if _BARE.fullmatch(text) and not (is_text and _kind(text) is not ParameterType.STRING):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\\''") + "'"
    # An interactive shell, as the kernel's is, must not meet a tab or a `!` of its own here.
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable() and character not in "'!":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode())
