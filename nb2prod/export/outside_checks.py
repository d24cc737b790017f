"""What a run takes from outside: the network, the clock, the environment, a person at a keyboard.

A run that does so may give other results tomorrow, or wait for ever. The tables are in
`nb2prod.export.outside_tables`; what they do not name is not found, since a false alarm does more
harm than a missed one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from nb2prod.export import outside_tables as table
from nb2prod.export.checked_notebook import CheckedCell, CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.calls import Call, is_true
from nb2prod.notebook.ipython_syntax import EscapeKind

_ENVIRON = "os.environ"
_SHELL_CELLS = frozenset({"bash", "sh", "script"})
_SHOWN = 3


def network_access(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find what needs a network, once for each cell."""
    texts = _texts(checked)
    for cell, calls in checked.calls:
        found = [
            (cell.author_line(call.line) or 1, said)
            for call in calls
            if (said := _network_use(call, texts))
        ]
        found += _shell_network(cell)
        if found:
            line, _ = min(found)
            said = _listed([said for _, said in sorted(found)])
            yield finding(
                "network-access",
                f"The network is needed, and gives what is there at that time: {said}.",
                cell=cell.number,
                line=line,
            )


def input_asked(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find questions to a person; those of a function that nobody calls are never asked."""
    for cell, call in checked.every_call():
        if call.name in table.ASKS and (not call.function or call.function in checked.called):
            yield finding(
                "input-asked",
                f"`{call.name}` waits for somebody to type, and in a run there is nobody.",
                cell=cell.number,
                line=cell.author_line(call.line),
            )


def environment_read(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find environment variables that are read by name, each once.

    Those are left alone that the notebook sets itself, and the pipeline's secrets, which come so.
    """
    own = {*_variables_set(checked), *_secrets(checked)}
    told: set[str] = set()
    for cell, name, line in _variables_read(checked):
        if name and name not in own | told:
            told.add(name)
            yield finding(
                "environment-variable",
                f"The environment variable `{name}` is read, which is not the same everywhere.",
                cell=cell.number,
                line=cell.author_line(line),
            )


def _variables_read(checked: CheckedNotebook) -> Iterator[tuple[CheckedCell, str, int]]:
    for cell, calls in checked.calls:
        for node in _environ_items(checked, cell):
            if isinstance(node.ctx, ast.Load):
                yield cell, _text(node.slice), node.lineno
        for call in calls:
            if call.name in (f"{_ENVIRON}.get", "os.getenv"):
                yield cell, _text(call.argument("key", 0)), call.line


def _variables_set(checked: CheckedNotebook) -> Iterator[str]:
    for cell, calls in checked.calls:
        for node in _environ_items(checked, cell):
            if not isinstance(node.ctx, ast.Load):
                yield _text(node.slice)
        for call in calls:
            if call.name in (f"{_ENVIRON}.setdefault", "os.putenv"):
                yield _text(call.argument("key", 0))


def _environ_items(checked: CheckedNotebook, cell: CheckedCell) -> Iterator[ast.Subscript]:
    if "environ" in cell.cell.source:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Subscript) and checked.known.full_name(node.value) == _ENVIRON:
                yield node


def _secrets(checked: CheckedNotebook) -> Iterator[str]:
    ours = checked.notebook.metadata.get("nb2prod")
    named = ours.get("secrets") if isinstance(ours, Mapping) else None
    yield from (str(name) for name in (named if isinstance(named, list) else ()))


def _network_use(call: Call, texts: dict[str, str]) -> str:
    """Say what of a call needs the network; empty where nothing does."""
    if table.NETWORK.match(call.name):
        return f"`{call.name}`"
    if is_true(call.argument("download")) and table.DOWNLOADING.match(call.name):
        return f"`{call.name}` with `download=True`"
    if table.READS_ADDRESS.match(call.method) and call.node.args:
        address = _beginning(call.node.args[0], texts)
        if table.ADDRESS.match(address):
            return f"`{call.method}` of `{_host(address)}`"
    if call.method == "from_pretrained" and call.node.args:
        model = _beginning(call.node.args[0], texts)
        # A name of a hub's; a path of one's own begins with a dot or a slash.
        if model and not model.startswith((".", "/", "~")):
            return f"`from_pretrained` of `{model}`"
    return ""


def _shell_network(cell: CheckedCell) -> Iterator[tuple[int, str]]:
    for escape in cell.escapes:
        is_shell = escape.kind is EscapeKind.SHELL or (
            escape.kind is EscapeKind.CELL_MAGIC and escape.name in _SHELL_CELLS
        )
        if not is_shell:
            continue
        for match in table.SHELL_NETWORK.finditer(
            escape.argument if escape.kind is EscapeKind.SHELL else escape.body
        ):
            below = 0 if escape.kind is EscapeKind.SHELL else 1
            text = match.string[: match.start("command")]
            command = " ".join(match["command"].split())
            yield escape.line + below + text.count("\n"), f"`{command}`"


def _texts(checked: CheckedNotebook) -> dict[str, str]:
    """Return the names that stand for one text in all of the notebook."""
    found: dict[str, str] = {}
    several: set[str] = set()
    for cell in checked.cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name in found or not (text := _beginning(node.value, found)):
                    several.add(name)
                found[name] = text if name not in several else ""
    return {name: text for name, text in found.items() if name not in several}


def _beginning(node: ast.expr, texts: dict[str, str]) -> str:
    """Return how a text begins, where it is written down or joined from what is."""
    while isinstance(node, ast.BinOp):
        node = node.left
    if isinstance(node, ast.JoinedStr):
        node = node.values[0] if node.values else node
        if isinstance(node, ast.FormattedValue):
            node = node.value
    if isinstance(node, ast.Name):
        return texts.get(node.id, "")
    return _text(node)


def _text(node: ast.expr | None) -> str:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if is_text and isinstance(node, ast.Constant) else ""


def _host(address: str) -> str:
    # What stands before an `@` is a name and a password.
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def _listed(said: list[str]) -> str:
    different = list(dict.fromkeys(said))
    shown = ", ".join(different[:_SHOWN])
    more = len(different) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
