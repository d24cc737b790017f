"""The project's own modules that a notebook imports: found without running it, and kept.

A version keeps a copy of them, since a run works in the project's folder, where tomorrow another
text may lie under the same name. They are looked for as Python would: in the notebook's folder
first, then where the notebook itself or the kernel's environment adds a folder of the project's
to ``sys.path``. A package is kept as a whole, with the files that are not code; of a folder
without ``__init__.py`` only what is imported. What a package that is installed brings is not
looked at here.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nb2prod.notebook.ipython_syntax import EscapeKind, find_escapes
from nb2prod.notebook.models import Notebook
from nb2prod.registry.imports import Import, cell_imports, find_imports, tells_its_place
from nb2prod.registry.models import OwnModule
from nb2prod.registry.project_files import MAX_FILE_BYTES, ProjectFiles, inside
from nb2prod.registry.sys_path import added_folders

MAX_FILES = 300
MAX_BYTES = 10_000_000

_SKIPPED_FOLDERS = frozenset({"__pycache__", ".ipynb_checkpoints", ".git", "node_modules"})
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".ipynb")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unkept:
    """A module or file of the project's own that a version can't keep, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LocalModules:
    """What was found.

    Parameters
    ----------
    kept
        The files that the version keeps.
    contents
        Content by path beneath the version's folder of modules.
    own
        Names, up to the first dot, of all modules that are the project's, kept or not.
    imports
        By a module's path in the project, what it imports that is none of the project's own.
    """

    kept: tuple[OwnModule, ...] = ()
    contents: dict[str, bytes] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    unkept: tuple[Unkept, ...] = ()
    imports: tuple[tuple[str, Import], ...] = ()


def find_local_modules(
    notebook: Notebook,
    files: ProjectFiles,
    *,
    directory: str,
    installed: Collection[str],
    more_folders: Sequence[str] = (),
) -> LocalModules:
    """Find the modules of a project's own that a notebook imports, and those that they import.

    Parameters
    ----------
    directory
        The notebook's folder in the project, where its runs work.
    installed
        Names of modules that installed packages give.
    more_folders
        Folders of the project in the kernel's ``sys.path``.
    """
    return _Search(notebook, files, directory, frozenset(installed), tuple(more_folders)).run()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A module, or a whole package: the files that are kept or left together."""

    name: str
    paths: tuple[tuple[str, str], ...]  # in the project, and beneath the folder of modules


class _Search:
    def __init__(
        self,
        notebook: Notebook,
        files: ProjectFiles,
        directory: str,
        installed: frozenset[str],
        more_folders: tuple[str, ...],
    ) -> None:
        self._notebook = notebook
        self._files = files
        self._directory = directory
        self._installed = installed
        sources = [cell.source for cell in notebook.code_cells]
        added = [inside(directory, folder) for folder in added_folders(sources)]
        # What is appended comes after the installed packages.
        self._folders = (directory, *(folder for folder in added if folder), *more_folders)
        self._written = _written_by_itself(sources)
        self._kept: dict[str, OwnModule] = {}
        self._contents: dict[str, bytes] = {}
        self._own: set[str] = set()
        self._unkept: dict[str, Unkept] = {}
        self._foreign: list[tuple[str, Import]] = []
        self._seen: set[str] = set()
        # Names of modules and packages of which there is nothing more to be found.
        self._whole: set[str] = set()
        self._units: set[str] = set()

    def run(self) -> LocalModules:
        for cell in self._notebook.code_cells:
            for item in cell_imports(cell.source):
                self._follow(item)
        for argument in _run_files(self._notebook):
            self._run_file(argument)
        return LocalModules(
            kept=tuple(self._kept[path] for path in sorted(self._kept)),
            contents=dict(sorted(self._contents.items())),
            own=frozenset(self._own),
            unkept=tuple(self._unkept[name] for name in sorted(self._unkept)),
            imports=tuple(self._foreign),
        )

    def _follow(self, item: Import, package: tuple[str, ...] = ()) -> bool:
        """Take in what an import loads; return whether it is of the project's own."""
        base = package[: len(package) - item.level + 1] if item.level else ()
        taken = [self._take(".".join((*base, name))) for name in item.candidates]
        return any(taken)

    def _take(self, dotted: str) -> bool:
        top = dotted.partition(".")[0]
        if top in self._written:
            return True
        if top in self._whole or dotted in self._seen:
            return top in self._own
        self._seen.add(dotted)
        # Python's own modules are loaded before the notebook's folder is looked at.
        if top in sys.stdlib_module_names:
            return False
        unit = self._find(dotted)
        if unit is None:
            return top in self._own
        self._own.add(top)
        if unit.name == top:
            self._whole.add(top)
        if unit.name not in self._units:
            self._units.add(unit.name)
            self._keep(unit)
        return True

    def _find(self, dotted: str) -> _Unit | None:
        top, *rest = dotted.split(".")
        for folder in self._folders:
            is_first = folder == self._directory
            if not is_first and top in self._installed:
                return None
            if self._has(folder, f"{top}/__init__.py"):
                return self._package(folder, top)
            if self._has(folder, f"{top}.py"):
                return self._module(folder, top, f"{top}.py")
        # A folder without `__init__.py` comes last of all, behind what is installed.
        if top in self._installed:
            return None
        for folder in self._folders:
            unit = self._in_namespace(folder, [top], rest)
            if unit is not None:
                return unit
        return None

    def _in_namespace(self, folder: str, parts: list[str], rest: list[str]) -> _Unit | None:
        if not rest:
            return None
        within = "/".join(parts)
        if self._has(folder, f"{within}/{rest[0]}/__init__.py"):
            return self._package(folder, f"{within}/{rest[0]}")
        if self._has(folder, f"{within}/{rest[0]}.py"):
            return self._module(folder, ".".join((*parts, rest[0])), f"{within}/{rest[0]}.py")
        return self._in_namespace(folder, [*parts, rest[0]], rest[1:])

    def _has(self, folder: str, relative: str) -> bool:
        path = inside(folder, relative)
        return path is not None and self._files.read(path) is not None

    def _module(self, folder: str, name: str, relative: str) -> _Unit:
        return _Unit(name, ((inside(folder, relative) or relative, relative),))

    def _package(self, folder: str, relative: str) -> _Unit:
        start = inside(folder, relative) or relative
        paths = [
            (f"{start}/{within}", f"{relative}/{within}") for within in self._files_below(start)
        ]
        return _Unit(relative.replace("/", "."), tuple(paths))

    def _files_below(self, folder: str, within: str = "") -> Iterator[str]:
        names = self._files.names(folder)
        for name in names.files:
            if not name.endswith(_SKIPPED_SUFFIXES) and not name.startswith("."):
                yield within + name
        for name in names.folders:
            if name not in _SKIPPED_FOLDERS and within.count("/") < 20:
                yield from self._files_below(f"{folder}/{name}", f"{within}{name}/")

    def _keep(self, unit: _Unit) -> None:
        paths = unit.paths[: MAX_FILES + 1]
        read = {path: self._files.read(path) for path, _ in paths}
        contents = {path: content for path, content in read.items() if content is not None}
        sources = {
            path: contents[path].decode("utf-8", "replace")
            for path in contents
            if path.endswith(".py")
        }
        reason = self._reason_to_leave(paths, contents, sources)
        if reason:
            self._unkept[unit.name] = Unkept(name=unit.name, reason=reason)
        else:
            for path, kept_as in paths:
                self._contents[kept_as] = contents[path]
                self._kept[kept_as] = OwnModule.of(kept_as, path, contents[path])
        # Kept or not, it is imported, and what it imports is needed.
        for path, kept_as in paths:
            for item in find_imports(sources.get(path, "")):
                package = PurePosixPath(kept_as).parent.parts
                if not self._follow(item, package) and not item.level:
                    self._foreign.append((path, item))

    def _reason_to_leave(
        self,
        paths: tuple[tuple[str, str], ...],
        contents: dict[str, bytes],
        sources: dict[str, str],
    ) -> str:
        unread = [path for path, _ in paths if path not in contents]
        placed = [path for path, source in sources.items() if tells_its_place(source)]
        taken = [kept_as for path, kept_as in paths if self._is_taken(path, kept_as)]
        size = sum(map(len, self._contents.values())) + sum(map(len, contents.values()))
        if unread:
            return f"{unread[0]} can't be read, or is larger than {MAX_FILE_BYTES // 1_000_000} MB"
        if placed:
            return f"{placed[0]} looks where it lies (`__file__`), and a copy lies elsewhere"
        if taken:
            return f"another file of the project would be {taken[0]} as well"
        if len(self._contents) + len(contents) > MAX_FILES:
            return f"together it would be more than {MAX_FILES} files"
        return f"together it would be more than {MAX_BYTES // 1_000_000} MB" * (size > MAX_BYTES)

    def _is_taken(self, path: str, kept_as: str) -> bool:
        return kept_as in self._kept and self._kept[kept_as].source != path

    def _run_file(self, argument: str) -> None:
        """Take in a file that ``%run`` names."""
        path = inside(self._directory, argument)
        kept_as = inside(".", argument)
        if path is None or kept_as is None:
            reason = "it lies outside of the project, or above the notebook's folder"
            self._unkept[argument] = Unkept(name=argument, reason=reason)
            return
        content = self._files.read(path)
        if argument.endswith(".ipynb"):
            self._unkept[argument] = Unkept(name=argument, reason="it is a notebook")
        elif content is not None and PurePosixPath(kept_as).stem not in self._written:
            self._keep(_Unit(argument, ((path, kept_as),)))


def _run_files(notebook: Notebook) -> Iterator[str]:
    for cell in notebook.code_cells:
        for escape in find_escapes(cell.source):
            if escape.kind is EscapeKind.LINE_MAGIC and escape.name == "run":
                words = [word for word in escape.argument.split() if not word.startswith("-")]
                name = words[0].strip("\"'") if words else ""
                if name and "{" not in name and "$" not in name:
                    yield name if PurePosixPath(name).suffix else f"{name}.py"


def _written_by_itself(sources: Sequence[str]) -> frozenset[str]:
    """Return the names of the modules that the notebook writes with ``%%writefile``."""
    found = set()
    for source in sources:
        for escape in find_escapes(source):
            if escape.name in ("writefile", "file") and escape.kind is EscapeKind.CELL_MAGIC:
                words = [word for word in escape.argument.split() if not word.startswith("-")]
                path = PurePosixPath(words[0].strip("\"'")) if words else PurePosixPath()
                if path.suffix == ".py":
                    found.add(path.parts[0].removesuffix(".py"))
    return frozenset(found)
