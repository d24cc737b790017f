"""What the annotation of a parameter says of its type; nothing is evaluated."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from nb2prod.notebook.parameter_literals import Names, UnfitLiteral, dotted_name, read_literal
from nb2prod.notebook.parameter_python import TYPE_BY_LITERAL, TYPE_BY_NAME
from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.python_syntax import parse_expression


class UnknownType(ValueError):
    """An annotation is none for a parameter; the text says why."""


@dataclass(frozen=True, kw_only=True)
class TypeFacts:
    """What is known of a parameter's type; the fields are those of `Parameter`.

    Parameters
    ----------
    help
        A text that stands in ``Annotated[…, "text"]``.
    """

    type: ParameterType
    choices: tuple[object, ...] = ()
    is_optional: bool = False
    item_type: ParameterType | None = None
    help: str = ""


def facts_of_default(default: object) -> TypeFacts:
    """Return what a default says of the type, without an annotation; raises `UnknownType`."""
    if default is None:
        raise UnknownType("nothing says its type; annotate it, as in `name: int | None = None`")
    item_types = {type(item) for item in default} if isinstance(default, list) else set()
    if item_types == {int, float}:
        item_types = {float}
    only = item_types.pop() if len(item_types) == 1 else type(None)
    return TypeFacts(type=TYPE_BY_LITERAL[type(default)], item_type=TYPE_BY_LITERAL.get(only))


def facts_of_annotation(node: ast.expr, default: object, names: Names) -> TypeFacts:
    """Return what an annotation says; raises `UnknownType`.

    Parameters
    ----------
    default
        What decides where the annotation leaves the type open, as ``Final`` does.
    names
        What imported names stand for.

    Examples
    --------
    >>> facts_of_annotation(parse_expression("list[Path]"), None, {}).item_type
    <ParameterType.PATH: 'path'>
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return facts_of_annotation(parsed_type(node.value), default, names)
    if _last_name(node) in ("Final", "Any", "object"):
        return facts_of_default(default)
    kind = TYPE_BY_NAME.get(dotted_name(node, names))
    if kind is not None:
        return TypeFacts(type=kind)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], node, names)
    if isinstance(node, ast.Subscript):
        return _subscripted(node, default, names)
    raise _unknown(node)


def parsed_type(text: str) -> ast.expr:
    """Parse an annotation that is a text; raises `UnknownType`."""
    try:
        return parse_expression(text)
    except SyntaxError:
        raise UnknownType(f"its type {text!r} is not one for parameters") from None


def _subscripted(node: ast.Subscript, default: object, names: Names) -> TypeFacts:
    name, inner = _last_name(node.value), node.slice
    items = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        return _literal(items, node)
    if name in ("Optional", "Union"):
        facts = _union(items, node, names)
        return replace(facts, is_optional=facts.is_optional or name == "Optional")
    if name in ("Annotated", "Final"):
        texts = [item.value for item in items[1:] if isinstance(item, ast.Constant)]
        said = next((text for text in texts if isinstance(text, str)), "")
        facts = facts_of_annotation(items[0], default, names)
        return replace(facts, help=facts.help or said)
    kind = TYPE_BY_NAME.get(dotted_name(node.value, names))
    if kind is ParameterType.LIST and len(items) == 1:
        if _last_name(inner) in ("Any", "object"):
            return TypeFacts(type=kind)
        item = facts_of_annotation(inner, None, names)
        if not item.is_optional:
            return TypeFacts(type=kind, item_type=item.type, choices=item.choices)
    if kind is ParameterType.DICT:
        return TypeFacts(type=kind)
    raise _unknown(node)


def _union(members: list[ast.expr], node: ast.expr, names: Names) -> TypeFacts:
    is_none = [isinstance(item, ast.Constant) and item.value is None for item in members]
    others = [item for item, none in zip(members, is_none, strict=True) if not none]
    if len(others) != 1:
        raise _unknown(node)
    facts = facts_of_annotation(others[0], None, names)
    return replace(facts, is_optional=facts.is_optional or any(is_none))


def _literal(items: list[ast.expr], node: ast.expr) -> TypeFacts:
    try:
        values = [read_literal(item, {}) for item in items]
    except UnfitLiteral:
        raise _unknown(node) from None
    choices = tuple(value for value in values if value is not None)
    kinds = {TYPE_BY_LITERAL.get(type(choice)) for choice in choices}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        raise _unknown(node)
    return TypeFacts(type=kind, choices=choices, is_optional=None in values)


def _last_name(node: ast.expr) -> str:
    """Return ``Literal`` for ``Literal`` and for ``typing.Literal``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _unknown(node: ast.expr) -> UnknownType:
    names = ", ".join(kind if kind is not ParameterType.PATH else "Path" for kind in ParameterType)
    return UnknownType(
        f"its type `{ast.unparse(node)}` is not one for parameters: use {names}, Literal, or one"
        " of them `| None`"
    )
