r"""Finding paths in a cell that exist on one machine only, or lead out of the project.

A text is taken for a path where its beginning can't be anything else (``/home/…``, ``C:\…``,
``~/…``), or where it begins with ``/`` and is given to something that takes paths. So the routes
of a web service, and regular expressions, are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
_JOINS = frozenset({"join", "joinpath", "Path", "PurePath"})
_PATH_PREFIXES = ("read_", "to_", "scan_", "load_", "save_", "sink_", "write_")
_PATH_KEYWORDS = re.compile(r"(?:.*_)?(?:path|dir|directory|file|filename|filepath|folder|fname)\Z")


_UPWARD = re.compile(r"(?:\.{1,2}[/\\])*\.\.(?:[/\\]|\Z)")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPath:
    """A path, and its line in the source given."""

    text: str
    line: int


def absolute_paths(tree: ast.Module) -> tuple[FoundPath, ...]:
    """Find absolute paths in plain Python, in the order of their lines, each text once.

    >>> tree = ast.parse('open("/data/a.csv"); get("/api/users")')
    >>> [path.text for path in absolute_paths(tree)]
    ['/data/a.csv']
    """
    return _each_once(_paths(tree))


def upward_paths(tree: ast.Module, *, depth: int) -> tuple[FoundPath, ...]:
    """Find relative paths that climb further than ``depth`` folders up.

    >>> tree = ast.parse('read_csv("../data/a.csv"); open("../../b.csv")')
    >>> [path.text for path in upward_paths(tree, depth=1)]
    ['../../b.csv']
    """
    return _each_once(
        (text, line) for text, line in _upward(tree) if re.split(r"[/\\]", text).count("..") > depth
    )


def _each_once(paths: Iterable[tuple[str, int]]) -> tuple[FoundPath, ...]:
    found: dict[str, FoundPath] = {}
    for text, line in sorted(paths, key=lambda entry: entry[1]):
        found.setdefault(text, FoundPath(text=text, line=line))
    return tuple(found.values())


def _upward(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        texts = [_one_line(_beginning(item)) for item in node.args]
        if _called(node) in _JOINS and texts:
            # `os.path.join("..", "..", "data")` is one path.
            yield from _if_upward("/".join(texts), node.lineno)
        else:
            for argument in _path_arguments(node):
                yield from _if_upward(_one_line(_beginning(argument)), argument.lineno)


def _if_upward(text: str, line: int) -> Iterator[tuple[str, int]]:
    if _UPWARD.match(text):
        yield text, line


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
    name = _called(node)
    if name in _PATH_CALLS or name.startswith(_PATH_PREFIXES):
        # Only the first part of a joined path can make it absolute.
        yield from node.args[:1]
    for keyword in node.keywords:
        if keyword.arg and _PATH_KEYWORDS.match(keyword.arg):
            yield keyword.value


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


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
