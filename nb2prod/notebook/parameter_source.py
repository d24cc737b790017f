"""Reading parameters from the source of the parameters cell, by its syntax tree.

A parameter is a name that the cell assigns at its top level to a literal. Its type is its
annotation, else that of the literal; its help is the comment behind it. A number's comment may
end with the range of its values, as in ``# weight of the penalty [0, 1]``; either end may be
left out. What can't be a parameter is reported with the line and the reason, never passed over in
silence.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.ipython_syntax import without_ipython
from nb2prod.notebook.parameter_values import Parameter, ParameterType, read_value
from nb2prod.notebook.python_syntax import parse, parse_expression

# Floats that have no literal; `to_source` writes them so.
_SPECIAL_FLOATS = {f"float('{text}')": float(text) for text in ("inf", "-inf", "nan")}
_PRAGMA = re.compile(
    r"(^|#)\s*(noqa|type:\s*ignore|pragma|fmt:|pylint:|pyright:)\b.*", re.IGNORECASE
)
_TYPE_COMMENT = re.compile(r"type:\s*(?P<type>[^\s\[]+(\[[^\]]*\])?)\s*(?P<help>.*)")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\[\s*(?P<low>{_NUMBER})?\s*,\s*(?P<high>{_NUMBER})?\s*\]\Z")
_TYPE_NAMES = {
    "int": ParameterType.INTEGER,
    "float": ParameterType.FLOAT,
    "bool": ParameterType.BOOLEAN,
    "str": ParameterType.STRING,
    "list": ParameterType.LIST,
    "List": ParameterType.LIST,
    "dict": ParameterType.DICT,
    "Dict": ParameterType.DICT,
}
_LITERAL_TYPES: dict[type, ParameterType] = {
    int: ParameterType.INTEGER,
    float: ParameterType.FLOAT,
    bool: ParameterType.BOOLEAN,
    str: ParameterType.STRING,
    list: ParameterType.LIST,
    dict: ParameterType.DICT,
}


class _Unfit(ValueError):
    """A value is no literal with a JSON form; the text says what it is."""


class _NoParameter(Exception):
    """A name is no parameter; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedParameter:
    """A name in the parameters cell that is no parameter; ``line`` counts in the cell, from 1."""

    name: str
    line: int
    why: str


@dataclass(frozen=True, kw_only=True)
class _Annotation:
    """What an annotation says; the fields are those of `Parameter`."""

    type: ParameterType
    choices: tuple[object, ...] = ()
    is_optional: bool = False
    item_type: ParameterType | None = None


@dataclass(frozen=True, kw_only=True)
class _Assignment:
    """One name that is assigned; `value` is `None` where the reason says why it can't be read."""

    name: str
    line: int
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    comment: str = ""
    why: str = ""


def scan_parameters(source: str) -> tuple[tuple[Parameter, ...], tuple[SkippedParameter, ...]]:
    """Find the parameters in the source of one cell, and what is none and why.

    The last assignment of a name counts. IPython's own lines are passed over. A cell that is
    not valid Python has no parameters, and one entry without a name says so.

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
    found: dict[str, Parameter] = {}
    skipped: dict[str, SkippedParameter] = {}
    for assignment in _assignments(tree, _comments(python)):
        name = assignment.name
        try:
            parameter = _parameter(assignment)
        except _NoParameter as reason:
            found.pop(name, None)
            skipped[name] = SkippedParameter(name=name, line=assignment.line, why=str(reason))
        else:
            skipped.pop(name, None)
            found[name] = parameter
    return tuple(found.values()), tuple(skipped.values())


def read_literal(node: ast.expr) -> object:
    """Read a literal that has a JSON value; raises `ValueError` with the reason for any other."""
    if isinstance(node, ast.Constant):
        if node.value is None or isinstance(node.value, str | bool | int | float):
            return node.value
        raise _Unfit(f"{type(node.value).__name__} has no JSON form")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = read_literal(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.List):
        return [read_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return _read_dict(node)
    if isinstance(node, ast.Tuple | ast.Set):
        raise _Unfit(f"a {type(node).__name__.lower()} has no JSON form; write a list")
    if isinstance(node, ast.Call) and ast.unparse(node) in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[ast.unparse(node)]
    raise _Unfit("its default is computed, not a literal")


def _read_dict(node: ast.Dict) -> dict[str, object]:
    read: dict[str, object] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise _Unfit("a dictionary needs texts as keys")
        read[key.value] = read_literal(value)
    return read


def _assignments(tree: ast.Module, comments: dict[int, str]) -> Iterator[_Assignment]:
    for statement in tree.body:
        line, comment = statement.lineno, _comment_of(statement, tree, comments)
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


def _parameter(assignment: _Assignment) -> Parameter:
    if assignment.value is None:
        raise _NoParameter(assignment.why)
    try:
        default = read_literal(assignment.value)
    except ValueError as error:
        raise _NoParameter(str(error)) from None
    annotation, text = assignment.annotation, assignment.comment
    typed = _TYPE_COMMENT.match(_PRAGMA.sub("", text))
    if typed is not None:
        annotation, text = annotation or _parsed_type(typed["type"]), typed["help"].lstrip("# ")
    facts = _inferred(default) if annotation is None else _annotated(annotation)
    help_text = _PRAGMA.sub("", text).rstrip(" #")
    parameter = Parameter(
        assignment.name,
        facts.type,
        None,
        help=help_text,
        choices=facts.choices,
        # `x: int = None` was Python's way to write "optional" for long.
        is_optional=facts.is_optional or default is None,
        item_type=facts.item_type,
    )
    try:
        parameter = replace(parameter, default=_strict_default(parameter, default))
    except ParameterInvalid as error:
        raise _NoParameter(f"its default does not fit its type: {error.message}") from None
    return _limited(parameter)


def _limited(parameter: Parameter) -> Parameter:
    """Read the range at the end of a number's comment."""
    found = _RANGE.search(parameter.help)
    is_number = parameter.type in (ParameterType.INTEGER, ParameterType.FLOAT)
    if found is None or not is_number or parameter.choices:
        return parameter
    low, high = (float(text) if text else None for text in found.group("low", "high"))
    limited = replace(
        parameter, minimum=low, maximum=high, help=parameter.help[: found.start()].rstrip(" ,;:")
    )
    try:
        read_value(limited, limited.default)
    except ParameterInvalid:
        # The author's own default is beyond it, so it was no range but part of the text.
        return parameter
    return limited


def _strict_default(parameter: Parameter, default: object) -> object:
    # A text is read by the type only where a person gives a value, not in code.
    is_text = parameter.type is ParameterType.STRING
    if isinstance(default, str) and not is_text:
        raise ParameterInvalid(f"{default!r} is a text")
    return read_value(parameter, default)


def _inferred(default: object) -> _Annotation:
    if default is None:
        raise _NoParameter("nothing says its type; annotate it, as in `name: int | None = None`")
    kind = _LITERAL_TYPES[type(default)]
    item_types = {type(item) for item in default} if isinstance(default, list) else set()
    if item_types == {int, float}:
        item_types = {float}
    only = item_types.pop() if len(item_types) == 1 else type(None)
    return _Annotation(type=kind, item_type=_LITERAL_TYPES.get(only))


def _annotated(node: ast.expr) -> _Annotation:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _annotated(_parsed_type(node.value))
    name = _last_name(node)
    if name in _TYPE_NAMES:
        return _Annotation(type=_TYPE_NAMES[name])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], node)
    if isinstance(node, ast.Subscript):
        return _subscripted(_last_name(node.value), node)
    raise _unknown_type(node)


def _subscripted(name: str, node: ast.Subscript) -> _Annotation:
    inner = node.slice
    items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        return _literal(items, node)
    if name in ("Optional", "Union"):
        annotation = _union(items, node)
        return replace(annotation, is_optional=annotation.is_optional or name == "Optional")
    if name in ("Annotated", "Final"):
        return _annotated(items[0])
    kind = _TYPE_NAMES.get(name)
    if kind is ParameterType.LIST and len(items) == 1:
        if _last_name(inner) in ("Any", "object"):
            return _Annotation(type=kind)
        item = _annotated(inner)
        if not item.is_optional:
            return _Annotation(type=kind, item_type=item.type, choices=item.choices)
    if kind is ParameterType.DICT:
        return _Annotation(type=kind)
    raise _unknown_type(node)


def _union(members: list[ast.expr], node: ast.expr) -> _Annotation:
    is_none = [isinstance(item, ast.Constant) and item.value is None for item in members]
    others = [item for item, none in zip(members, is_none, strict=True) if not none]
    if len(others) != 1:
        raise _unknown_type(node)
    annotation = _annotated(others[0])
    return replace(annotation, is_optional=annotation.is_optional or any(is_none))


def _literal(items: list[ast.expr], node: ast.expr) -> _Annotation:
    values = [item.value if isinstance(item, ast.Constant) else _negative(item) for item in items]
    choices = tuple(value for value in values if value is not None)
    kinds = {_LITERAL_TYPES.get(type(choice)) for choice in choices}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        raise _unknown_type(node)
    return _Annotation(type=kind, choices=choices, is_optional=None in values)


def _negative(node: ast.expr) -> object:
    try:
        return read_literal(node)
    except ValueError:
        raise _unknown_type(node) from None


def _last_name(node: ast.expr) -> str:
    """Return ``Literal`` for ``Literal`` and for ``typing.Literal``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _parsed_type(text: str) -> ast.expr:
    try:
        return parse_expression(text)
    except SyntaxError:
        raise _NoParameter(f"its type {text!r} is not one for parameters") from None


def _unknown_type(node: ast.expr) -> _NoParameter:
    return _NoParameter(
        f"its type `{ast.unparse(node)}` is not one for parameters: use int, float, bool, str,"
        " list, dict, Literal, or one of them `| None`"
    )


def _comments(source: str) -> dict[int, str]:
    """Return the trailing comments by line; tokens know a `#` inside a text from a comment."""
    found: dict[int, str] = {}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    for token in tokens:
        is_trailing = token.line[: token.start[1]].strip()
        if token.type == tokenize.COMMENT and is_trailing:
            found[token.start[0]] = token.string.lstrip("#:").strip()
    return found


def _comment_of(statement: ast.stmt, tree: ast.Module, comments: dict[int, str]) -> str:
    """Return the comment behind a statement; behind its first line where it has several."""
    end = statement.end_lineno or statement.lineno
    is_last = not any(
        other.lineno == end and other.col_offset > statement.col_offset for other in tree.body
    )
    text = comments.get(end, "") if is_last else ""
    return text or (comments.get(statement.lineno, "") if end > statement.lineno else "")
