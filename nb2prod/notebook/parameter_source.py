"""Reading parameters from the source of the parameters cell, by its syntax tree.

A parameter is a name that the cell assigns at its top level to what is written out: a literal, a
date, a path. Its type is its annotation, else that of the default; its help is the comment at it.
A comment may end with the range of the values, as in ``# weight of the penalty [0, 1]``; either
end may be left out. What can't be a parameter is reported with the line and the reason, never
passed over in silence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.ipython_syntax import without_ipython
from nb2prod.notebook.parameter_annotations import (
    TypeFacts,
    UnknownType,
    facts_of_annotation,
    facts_of_default,
    parsed_type,
)
from nb2prod.notebook.parameter_comments import (
    Comments,
    comment_of,
    read_comments,
    split_type,
    with_range,
)
from nb2prod.notebook.parameter_literals import (
    Names,
    UnfitLiteral,
    imported_names,
    read_literal,
)
from nb2prod.notebook.parameter_python import PYTHON_TYPES, TYPE_BY_LITERAL
from nb2prod.notebook.parameter_types import TYPES, ParameterType
from nb2prod.notebook.parameter_values import Parameter, read_value
from nb2prod.notebook.python_syntax import parse

MAX_DEFAULT_CHARS = 10_000


class _NoParameter(Exception):
    """A name is no parameter; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedParameter:
    """A name in the parameters cell that is no parameter; ``line`` counts in the cell, from 1."""

    name: str
    line: int
    why: str


@dataclass(frozen=True, kw_only=True)
class _Assignment:
    """One name that is assigned; `value` is `None` where the reason says why it can't be read."""

    name: str
    line: int
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    comment: str = ""
    why: str = ""


def scan_parameters(
    source: str, names: Names | None = None
) -> tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]:
    """Find the parameters in the source of one cell, and what is none and why.

    The last assignment of a name counts. IPython's own lines are passed over. A cell that is
    not valid Python has no parameters, and one entry without a name says so.

    Parameters
    ----------
    names
        What names stand for that were imported before the cell, as
        `nb2prod.notebook.parameter_literals.imported_names` returns them.

    Examples
    --------
    >>> parameters, _ = scan_parameters("alpha: float = 1  # share of the newest day")
    >>> parameters[0].default, parameters[0].help
    (1.0, 'share of the newest day')
    """
    python = without_ipython(source)
    try:
        tree = parse(python)
    except SyntaxError as error:
        why = f"the cell is not valid Python: {error.msg}"
        return (), (SkippedParameter(name="", line=error.lineno or 1, why=why),)
    known = {**(names or {}), **imported_names(tree)}
    found: dict[str, Parameter] = {}
    skipped: dict[str, SkippedParameter] = {}
    for assignment in _assignments(tree, read_comments(python)):
        name = assignment.name
        try:
            parameter = _parameter(assignment, known)
        except (_NoParameter, UnfitLiteral, UnknownType) as reason:
            found.pop(name, None)
            skipped[name] = SkippedParameter(name=name, line=assignment.line, why=str(reason))
        else:
            skipped.pop(name, None)
            found[name] = parameter
    return tuple(found.values()), tuple(skipped.values())


def _assignments(tree: ast.Module, comments: Comments) -> Iterator[_Assignment]:
    for statement in tree.body:
        line, comment = statement.lineno, comment_of(statement, tree, comments)
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield _Assignment(
                name=statement.target.id,
                line=line,
                value=statement.value,
                annotation=statement.annotation,
                comment=comment,
                why="it has no default",
            )
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                for assignment in _unpacked(target, statement.value):
                    yield replace(assignment, line=line, comment=comment)
        elif isinstance(statement, ast.AugAssign):
            if isinstance(statement.target, ast.Name):
                why = "it is changed after its assignment"
                yield _Assignment(name=statement.target.id, line=line, why=why)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _nested(statement)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[_Assignment]:
    """Pair the names of ``a, (b, c) = 1, (2, 3)`` with their values."""
    if isinstance(target, ast.Name):
        yield _Assignment(name=target.id, line=target.lineno, value=value)
    elif isinstance(target, ast.Tuple | ast.List):
        if (
            isinstance(value, ast.Tuple | ast.List)
            and len(value.elts) == len(target.elts)
            and not any(isinstance(node, ast.Starred) for node in (*target.elts, *value.elts))
        ):
            for part, item in zip(target.elts, value.elts, strict=True):
                yield from _unpacked(part, item)
        else:
            for bound in _names(target):
                why = "it is unpacked from something that is not written out"
                yield _Assignment(name=bound, line=target.lineno, why=why)


def _nested(statement: ast.stmt) -> Iterator[_Assignment]:
    for name in _names(statement):
        why = "it is assigned inside a block; assign it at the cell's top level"
        yield _Assignment(name=name, line=statement.lineno, why=why)


def _names(node: ast.AST) -> list[str]:
    found = (
        child.id
        for child in ast.walk(node)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
    )
    return list(dict.fromkeys(found))


def _parameter(assignment: _Assignment, names: Names) -> Parameter:
    if assignment.value is None:
        raise _NoParameter(assignment.why)
    default = read_literal(assignment.value, names)
    if len(repr(default)) > MAX_DEFAULT_CHARS:
        raise _NoParameter(
            f"its default takes more than {MAX_DEFAULT_CHARS:,} characters; keep it in a file, and"
            " make the file's path a parameter"
        )
    facts, help_text = _facts(assignment, default, names)
    parameter = Parameter(
        assignment.name,
        facts.type,
        None,
        help=help_text or facts.help,
        choices=facts.choices,
        # `x: int = None` was Python's way to write "optional" for long.
        is_optional=facts.is_optional or default is None,
        item_type=facts.item_type,
    )
    return with_range(replace(parameter, default=_checked_default(parameter, default)))


def _facts(assignment: _Assignment, default: object, names: Names) -> tuple[TypeFacts, str]:
    """Return what is known of the type, and the help."""
    said, help_text = split_type(assignment.comment)
    if assignment.annotation is not None:
        # A comment may say the type too; then it says it last and shortest.
        help_text = help_text or (said[-1][1] if said else "")
        return facts_of_annotation(assignment.annotation, default, names), help_text
    for text, behind in said:
        try:
            return facts_of_annotation(parsed_type(text), default, names), behind
        except UnknownType as error:
            unknown = error
    if said:
        raise unknown
    return facts_of_default(default), help_text


def _checked_default(parameter: Parameter, default: object) -> object:
    if default is not None:
        _require_kind(parameter, parameter.type, default)
        for item in default if isinstance(default, list) and parameter.item_type else ():
            _require_kind(parameter, parameter.item_type or parameter.type, item)
    try:
        return read_value(parameter, default)
    except ParameterInvalid as error:
        raise _NoParameter(f"its default does not fit its type: {error.message}") from None


def _require_kind(parameter: Parameter, kind: ParameterType, value: object) -> None:
    # A text is read by the type only where a person gives a value, not in code; and what a run
    # gets has the type that the author's own value has.
    found = TYPE_BY_LITERAL.get(type(value), kind)
    is_item = kind is not parameter.type
    numbers = (ParameterType.INTEGER, ParameterType.FLOAT, ParameterType.BOOLEAN)
    if found is kind or (found in numbers and kind in numbers):
        return
    raise _NoParameter(
        f"its type says {parameter.type_text}, but its default {'holds' if is_item else 'is'}"
        f" {TYPES[found].noun}; write it as in `{PYTHON_TYPES[kind].example.partition('  #')[0]}`"
    )
