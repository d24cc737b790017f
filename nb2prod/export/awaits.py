"""``await`` outside of functions, which only a notebook allows: as an async function of its own.

::

    # [nb2prod] page = await fetch(url)
    async def _nb2prod_cell():
        global page
        page = await fetch(url)
    _nb2prod_await(_nb2prod_cell)
    # [/nb2prod]
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence

from nb2prod.export.escape_translation import Refused
from nb2prod.notebook.scopes import stored_names

# What needs the running loop that a notebook has at its top level.
_NEEDS_LOOP = frozenset({"create_task", "ensure_future", "get_running_loop"})


def awaiting_statements(tree: ast.Module) -> tuple[ast.stmt, ...]:
    """Return the statements of a cell that await, or need a running loop, outside of functions."""
    return tuple(node for node in tree.body if any(map(_awaits, _outside_functions(node))))


def awaited(statement: ast.stmt, lines: Sequence[str], *, is_shown: bool) -> list[str]:
    """Return the lines that stand in the place of a statement that awaits.

    Parameters
    ----------
    lines
        Those of the statement, as the author wrote them.
    is_shown
        Whether the notebook shows its value.

    Raises
    ------
    nb2prod.export.escape_translation.Refused
        It can't be moved into a function as it is.
    """
    _check(statement, lines)
    body = list(lines)
    if is_shown:
        body = ["_nb2prod_show(", *body, ")"] if len(body) > 1 else [f"_nb2prod_show({body[0]})"]
    names = sorted(stored_names(statement))
    return [
        "async def _nb2prod_cell():",
        *([f"    global {', '.join(names)}"] if names else []),
        *(f"    {line}" if line.strip() else "" for line in body),
        "_nb2prod_await(_nb2prod_cell)",
    ]


def _check(statement: ast.stmt, lines: Sequence[str]) -> None:
    text = "\n".join(lines)
    if any(isinstance(node, ast.AnnAssign) for node in ast.walk(statement)) or (
        isinstance(statement, ast.Expr) and ";" in lines[-1].partition("#")[0]
    ):
        raise Refused(
            "it awaits outside of a function, on a line that can't be moved into one",
            "Write it as `name = await …`, on a line of its own.",
            "top-level-await",
        )
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    for token in tokens:
        is_text = tokenize.tok_name[token.type].startswith(("STRING", "FSTRING"))
        if is_text and token.start[0] != token.end[0]:
            raise Refused(
                "it awaits outside of a function, and has a text over several lines",
                "Give the text a name in a line above.",
                "top-level-await",
            )


def _awaits(node: ast.AST) -> bool:
    if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
        return True
    if isinstance(node, ast.comprehension):
        return bool(node.is_async)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _NEEDS_LOOP and isinstance(node.func.value, ast.Name)
    return False


def _outside_functions(statement: ast.AST) -> Iterator[ast.AST]:
    """Walk through what runs with a statement: of a function, its decorators and defaults."""
    pending = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [*node.decorator_list, node.args]
        elif isinstance(node, ast.Lambda):
            pending.append(node.args)
        else:
            yield node
            pending.extend(ast.iter_child_nodes(node))
