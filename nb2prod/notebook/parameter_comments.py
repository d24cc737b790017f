"""The comments of a parameters cell: the help of a parameter, its type, and its range.

The help is the comment behind the assignment. Where there is none it is the comment above, as
long as that speaks of this assignment alone: it stands directly above it, and no other assignment
follows directly below. So a headline over several is no help of the first.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field, replace

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.parameter_types import UnfitValue
from nb2prod.notebook.parameter_values import Parameter, read_value
from nb2prod.notebook.python_syntax import parse

_PRAGMA = re.compile(
    r"(^|#)\s*(noqa|type:\s*ignore|pragma|fmt:|pylint:|pyright:|ruff:|mypy:|@param\b|%%).*",
    re.IGNORECASE,
)
_TYPE_COMMENT = re.compile(r"type:\s*(?P<rest>\S.*)")
_HEADLINE = re.compile(r"(papermill\s+|injected\s+|notebook\s+)?parameters?\W*", re.IGNORECASE)
_RANGE = re.compile(r"\[\s*(?P<low>[^\s\[\],]*)\s*,\s*(?P<high>[^\s\[\],]*)\s*\]\Z")


@dataclass(frozen=True, kw_only=True)
class Comments:
    """The comments of a cell by line: those behind code, and those alone on a line."""

    behind: dict[int, str] = field(default_factory=dict)
    alone: dict[int, str] = field(default_factory=dict)


def read_comments(source: str) -> Comments:
    """Read the comments; tokens know a `#` inside a text from a comment."""
    found = Comments()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            is_behind = token.line[: token.start[1]].strip()
            kind = found.behind if is_behind else found.alone
            kind[token.start[0]] = token.string.lstrip("#:").strip()
    return found


def comment_of(statement: ast.stmt, tree: ast.Module, comments: Comments) -> str:
    """Return the comment behind a statement, else the one above it that is about it alone."""
    end = statement.end_lineno or statement.lineno
    is_last = not any(
        other.lineno == end and other.col_offset > statement.col_offset for other in tree.body
    )
    text = comments.behind.get(end, "") if is_last else ""
    text = text or (comments.behind.get(statement.lineno, "") if end > statement.lineno else "")
    return text or _comment_above(statement, tree, comments)


def _comment_above(statement: ast.stmt, tree: ast.Module, comments: Comments) -> str:
    end = statement.end_lineno or statement.lineno
    shares_lines = any(
        other is not statement and other.lineno in (statement.lineno, end, end + 1)
        for other in tree.body
    )
    if shares_lines:
        return ""
    lines: list[str] = []
    line = statement.lineno - 1
    while line in comments.alone:
        lines.insert(0, comments.alone[line])
        line -= 1
    text = " ".join(part for part in lines if re.search(r"\w", part))
    is_other = _HEADLINE.fullmatch(text) or any(map(_is_assignment, lines))
    return "" if is_other else text


def _is_assignment(text: str) -> bool:
    # Code that was commented out says nothing of what stands below it.
    try:
        body = parse(text).body
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) for node in body)


def split_type(comment: str) -> tuple[list[tuple[str, str]], str]:
    """Split ``type: int  # help`` into type and help.

    Returns
    -------
    list
        Pairs of a type's text and the help behind it, the longest type first: only who reads types
        knows where one ends.
    str
        The help where it speaks of no type.

    Examples
    --------
    >>> split_type("type: int days")
    ([('int days', ''), ('int', 'days')], '')
    >>> split_type("days ahead  # noqa: E501")
    ([], 'days ahead')
    """
    text = _PRAGMA.sub("", comment).rstrip(" #")
    match = _TYPE_COMMENT.match(text)
    if match is None:
        return [], text
    said, _, behind = match["rest"].partition("#")
    words = re.split(r"(?<=\S)\s+(?=\S)", said.strip())
    pairs = [
        (" ".join(words[:count]), " ".join([*words[count:], behind.strip("# ")]).strip())
        for count in range(len(words), 0, -1)
    ]
    return pairs, ""


def with_range(parameter: Parameter) -> Parameter:
    """Take the range at the end of a parameter's help, if its type has an order.

    >>> from nb2prod.notebook.parameter_types import ParameterType
    >>> found = with_range(Parameter("days", ParameterType.INTEGER, 7, help="ahead [1, 28]"))
    >>> found.help, found.range_text
    ('ahead', '[1, 28]')
    """
    found = _RANGE.search(parameter.help)
    read = parameter.row.read_limit
    if found is None or read is None or parameter.choices:
        return parameter
    try:
        low, high = (read(text) if text else None for text in found.group("low", "high"))
        limited = replace(
            parameter,
            minimum=low,
            maximum=high,
            help=parameter.help[: found.start()].rstrip(" ,;:"),
        )
        read_value(limited, limited.default)
    except (UnfitValue, ParameterInvalid):
        # These are no limits, or the author's own default is beyond them: part of the text.
        return parameter
    return limited
