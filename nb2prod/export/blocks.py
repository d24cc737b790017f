r"""The comments in a script that keep what the author wrote where the script has something else.

::

    # [nb2prod] files = !ls {folder}
    files = _nb2prod_shell_lines(f"ls {folder}")
    # [/nb2prod]

Lines that begin with ``# [nb2prod]`` are the author's, one for one; up to ``# [/nb2prod]``
follows what stands in their place. `restored` gives back the author's lines and nothing else.

What a notebook shows at the end of a cell, the script shows by a call around the author's
expression, ``_nb2prod_show(table.head())``, and figures by a line of their own,
``_nb2prod_figures()``; both are taken off again on reading.

A comment of the author's own that looks like one of these, or like the beginning of a cell, gets
a backslash (``# \%%``), which is taken off again on reading. Both ways are exact.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from nb2prod.notebook.ipython_syntax import read_layout
from nb2prod.notebook.python_syntax import parse

BEGIN = "# [nb2prod]"
# A block that stands in the place of nothing: it was added.
ADDED = "# [nb2prod+]"
END = "# [/nb2prod]"
# What shows the value of an expression; its bracket is closed where the expression ends.
SHOW = "_nb2prod_show("
# What shows the figures of a cell.
FIGURES = "_nb2prod_figures()"

# What must not look like ours or like jupytext's: the forms of its "percent" reader.
_AMBIGUOUS = r"%%|\[/?nb2prod|<codecell>|In\[[0-9 ]*\]"
_TO_ESCAPE = re.compile(rf"(?P<before>\s*#\s*)(?P<marked>\\*(?:{_AMBIGUOUS}).*)", re.DOTALL)
_ESCAPED = re.compile(rf"(?P<before>\s*#\s*)\\(?P<marked>\\*(?:{_AMBIGUOUS}).*)", re.DOTALL)


def block(original: Sequence[str], replacement: Sequence[str], note: str = "") -> list[str]:
    """Return the lines of a block.

    Parameters
    ----------
    original
        The author's lines, the first one with its indentation; empty for an added block.
    replacement
        What runs in their place, indented as it must be.
    note
        Why there is something else, or nothing; one line.
    """
    if original:
        indent = original[0][: len(original[0]) - len(original[0].lstrip(" \t\f"))]
        kept = [original[0][len(indent) :], *original[1:]]
        head = [f"{indent}{BEGIN} {line}" if line else f"{indent}{BEGIN}" for line in kept]
    else:
        indent, head = "", [ADDED]
    return [*head, *replacement, f"{indent}{END} {note}" if note else f"{indent}{END}"]


def escaped(line: str) -> str:
    r"""Mark a comment that would be taken for one of ours; other lines stay as they are.

    >>> escaped("# %% not a cell")
    '# \\%% not a cell'
    """
    match = _TO_ESCAPE.fullmatch(line)
    return f"{match['before']}\\{match['marked']}" if match else line


def unescaped(line: str) -> str:
    """Undo `escaped`."""
    match = _ESCAPED.fullmatch(line)
    return f"{match['before']}{match['marked']}" if match else line


def restored(code: str) -> str:
    """Return the author's source of a code cell of a script."""
    lines = _without_showing(code)
    comments = {comment.line - 1 for comment in read_layout("\n".join(lines)).comments}
    return "\n".join(_restored(lines, comments))


def _without_showing(code: str) -> list[str]:
    lines = code.split("\n")
    if SHOW in code:
        for call in _shows(code):
            first, last = call.lineno - 1, (call.end_lineno or call.lineno) - 1
            # From its end to its beginning, so that places stay true.
            lines[last] = _cut(lines[last], (call.end_col_offset or 0) - 1, 1)
            lines[first] = _cut(lines[first], call.col_offset, len(SHOW))
    if lines[-1] == FIGURES:
        lines.pop()
    return lines


def _shows(code: str) -> list[ast.Expr]:
    """Return the calls that show a value, the last one first."""
    try:
        nodes = list(ast.walk(parse(code)))
    except SyntaxError:
        # Somebody has edited the script, and left it broken: it stays as it is.
        return []
    calls = [
        node
        for node in nodes
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and f"{node.value.func.id}(" == SHOW
    ]
    return sorted(calls, key=lambda node: (node.lineno, node.col_offset), reverse=True)


def _cut(line: str, offset: int, length: int) -> str:
    """Take characters out of a line; the offset is the parser's, in bytes."""
    content = line.encode()
    return (content[:offset] + content[offset + length :]).decode()


def _restored(lines: Sequence[str], comments: set[int]) -> Iterator[str]:
    is_inside = False
    for number, line in enumerate(lines):
        text = line.lstrip(" \t\f")
        is_comment = number in comments
        if is_comment and text.startswith(BEGIN):
            indent = "" if is_inside else line[: len(line) - len(text)]
            is_inside = True
            yield indent + text.removeprefix(BEGIN).removeprefix(" ")
        elif is_comment and text.startswith(ADDED):
            is_inside = True
        elif is_comment and text.startswith(END):
            is_inside = False
        elif not is_inside:
            yield unescaped(line) if is_comment else line
