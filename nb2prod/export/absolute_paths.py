r"""Finding paths in a cell that exist on one machine only.

A text is taken for a path where its beginning can't be anything else (``/home/…``, ``C:\…``,
``~/…``), or where it begins with ``/`` and is given to something that takes paths. So the routes
of a web service, and regular expressions, are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nb2prod.notebook.python_syntax import parse

# Folders of people, mounts and hosted notebooks; nobody begins another kind of text so.
_KNOWN_ROOT = re.compile(
    r"(?:/(?:content|dbfs|gpfs|home|kaggle|lustre|media|mnt|nfs|root|scratch|Users|Volumes)/[^\s/]"
    r"|[A-Za-z]:[\\/][^\\/\s]|~[\w.-]*/[^\s/]|\\\\[\w.-]+\\[\w$]|file:///)"
)
# The same on every machine.
_EVERYWHERE = re.compile(r"/(?:tmp|dev|proc|sys|bin|usr|etc)(?:/|\Z)|//|/\Z")
_PATH_CALLS = frozenset(
    {"Path", "PosixPath", "PurePath", "_nb2prod_cd", "_nb2prod_write_file", "chdir", "copy",
     "copyfile", "copytree", "exists", "fromfile", "genfromtxt", "glob", "iglob", "imread",
     "imsave", "imwrite", "isdir", "isfile", "join", "listdir", "load", "loadtxt", "makedirs",
     "mkdir", "move", "open", "remove", "rmtree", "save", "savefig", "savetxt", "savez", "scandir",
     "walk"}
)  # fmt: skip
_PATH_PREFIXES = ("read_", "to_", "scan_", "load_", "save_", "sink_", "write_")
_PATH_KEYWORDS = re.compile(r"(?:.*_)?(?:path|dir|directory|file|filename|filepath|folder|fname)\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class AbsolutePath:
    """A path, and its line in the source given."""

    text: str
    line: int


def absolute_paths(source: str) -> tuple[AbsolutePath, ...]:
    """Find absolute paths in plain Python, in the order of their lines, each text once.

    >>> [path.text for path in absolute_paths('open("/data/a.csv"); get("/api/users")')]
    ['/data/a.csv']
    """
    try:
        tree = parse(source)
    except SyntaxError:
        return ()
    found: dict[str, AbsolutePath] = {}
    for text, line in sorted(_paths(tree), key=lambda entry: entry[1]):
        found.setdefault(text, AbsolutePath(text=text, line=line))
    return tuple(found.values())


def _paths(tree: ast.Module) -> Iterator[tuple[str, int]]:
    # A text that stands alone is a docstring or a remark.
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in alone:
            text = _one_line(node)
            if _KNOWN_ROOT.match(text):
                yield text, node.lineno
        elif isinstance(node, ast.Call):
            for argument in _path_arguments(node):
                text = _one_line(_beginning(argument))
                if text.startswith("/") and not _EVERYWHERE.match(text):
                    yield text, argument.lineno


def _path_arguments(node: ast.Call) -> Iterator[ast.expr]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    name = node.func.id if isinstance(node.func, ast.Name) else name
    if name in _PATH_CALLS or name.startswith(_PATH_PREFIXES):
        # Only the first part of a joined path can make it absolute.
        yield from node.args[:1]
    for keyword in node.keywords:
        if keyword.arg and _PATH_KEYWORDS.match(keyword.arg):
            yield keyword.value


def _beginning(node: ast.expr) -> ast.expr:
    """Return the first piece of ``"/data/" + name`` and of ``f"/data/{name}"``."""
    while isinstance(node, ast.BinOp):
        node = node.left
    if isinstance(node, ast.JoinedStr) and node.values:
        return node.values[0]
    return node


def _one_line(node: ast.expr) -> str:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    text = str(node.value) if is_text and isinstance(node, ast.Constant) else ""
    return "" if "\n" in text or len(text) > 500 else text
