"""What a project says that it needs: found in its files, read, and not yet locked.

The nearest file counts, from the notebook's folder upwards: ``pyproject.toml`` with the
dependencies of a project (and a ``uv.lock`` beside it), else ``requirements.txt``.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from nb2prod.registry.project_files import ProjectFiles, inside
from nb2prod.registry.requirements import LineKind, RequirementLine, read_lines, write_lock

PROJECT_FILE = "pyproject.toml"
REQUIREMENTS_FILE = "requirements.txt"
UV_LOCK_FILE = "uv.lock"

# `environment` in [tool.nb2prod]: an extra, or a dependency group, that the notebooks need too.
ENVIRONMENT_KEY = "environment"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a project says that it needs.

    Parameters
    ----------
    path
        The file that says it, relative to the project's folder.
    lines
        Requirements, constraints and options, as pip would read them.
    group
        Options of uv for what ``[tool.nb2prod]`` asks for besides; empty for nothing.
    uv_lock
        Content of the ``uv.lock`` beside it; `None` where there is none.
    trouble
        A sentence on why it can't be locked; empty where nothing speaks against it.
    sha256
        Over all of it.
    """

    path: str
    lines: tuple[RequirementLine, ...] = ()
    group: tuple[str, ...] = ()
    uv_lock: bytes | None = None
    trouble: str = ""
    sha256: str = ""

    @property
    def folder(self) -> str:
        """The folder that the file lies in, relative to the project's."""
        return PurePosixPath(self.path).parent.as_posix()

    @property
    def is_project(self) -> bool:
        """Whether it is a ``pyproject.toml``."""
        return PurePosixPath(self.path).name == PROJECT_FILE

    @property
    def pinned(self) -> str:
        """The lock that it is already, each package in one version with hashes; else empty."""
        needed = [line for line in self.lines if line.kind is LineKind.REQUIREMENT]
        is_whole = bool(needed) and all(line.is_pinned for line in needed)
        return write_lock(self.lines) if is_whole else ""

    @property
    def local(self) -> tuple[str, ...]:
        """What it takes from folders or files of a machine."""
        return tuple(line.text for line in self.lines if line.kind is LineKind.LOCAL)


def find_declaration(files: ProjectFiles, directory: str) -> Declaration | None:
    """Return what declares the environment of a notebook; `None` where nothing does.

    Parameters
    ----------
    directory
        The notebook's folder, relative to the project's.
    """
    folder = PurePosixPath(directory)
    for place in (folder, *folder.parents):
        found = _in_folder(files, place.as_posix())
        if found is not None:
            return found
    return None


def _in_folder(files: ProjectFiles, folder: str) -> Declaration | None:
    path = inside(folder, PROJECT_FILE) or PROJECT_FILE
    content = files.read(path)
    declared = None if content is None else _of_project(files, path, content)
    requirements = inside(folder, REQUIREMENTS_FILE) or REQUIREMENTS_FILE
    text = files.read(requirements)
    # One that can't be locked, or names nothing, may have the other for it.
    is_enough = declared is not None and bool(declared.lines) and not declared.trouble
    if text is None or is_enough:
        return declared
    lines = read_lines(_text(text), path=requirements, read=lambda name: _other(files, name))
    return Declaration(
        path=requirements,
        lines=lines,
        trouble=_unreadable(requirements, lines),
        sha256=_digest(lines),
    )


def _of_project(files: ProjectFiles, path: str, content: bytes) -> Declaration | None:
    try:
        data = tomllib.loads(_text(content))
    except tomllib.TOMLDecodeError as error:
        return Declaration(path=path, trouble=f"{path} is no TOML: {error}.")
    project, wanted = _table(data, "project"), _table(data, "tool", "nb2prod").get(ENVIRONMENT_KEY)
    if not project:
        return None
    if "dependencies" in (project.get("dynamic") or ()):
        return Declaration(
            path=path, trouble=f"{path} says that its dependencies are made when it is built."
        )
    texts = list(project.get("dependencies") or ())
    group: tuple[str, ...] = ()
    if wanted is not None:
        extras = _table(data, "project", "optional-dependencies")
        groups = _table(data, "dependency-groups")
        if wanted in extras:
            group, more = ("--extra", str(wanted)), list(extras[wanted])
        elif wanted in groups:
            group, more = ("--group", str(wanted)), list(_grouped(groups, str(wanted), ()))
        else:
            return Declaration(
                path=path,
                trouble=f"`environment = {json.dumps(wanted)}` under [tool.nb2prod] in {path} names"
                " neither an extra nor a dependency group.",
            )
        texts += more
    lines = read_lines("\n".join(map(str, texts)))
    uv_lock = files.read(inside(PurePosixPath(path).parent.as_posix(), UV_LOCK_FILE) or "")
    return Declaration(
        path=path,
        lines=lines,
        group=group,
        uv_lock=uv_lock,
        trouble=_unreadable(path, lines),
        sha256=_digest(lines, json.dumps(_table(data, "tool", "uv"), default=str), uv_lock),
    )


def _grouped(groups: Mapping[str, Any], name: str, within: tuple[str, ...]) -> Iterator[str]:
    """Give the requirements of a dependency group (PEP 735), those of included groups too."""
    for item in groups.get(name) or ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping) and (inner := str(item.get("include-group"))) not in within:
            yield from _grouped(groups, inner, (*within, name))


def _table(data: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = data
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _other(files: ProjectFiles, name: str) -> str | None:
    path = inside(".", name)
    content = None if path is None else files.read(path)
    return None if content is None else _text(content)


def _unreadable(path: str, lines: tuple[RequirementLine, ...]) -> str:
    for line in lines:
        if line.kind is LineKind.UNREADABLE:
            return (
                f"{path} has a line that can't be read, or a file that is not there: `{line.text}`."
            )
    return ""


def _digest(
    lines: tuple[RequirementLine, ...], settings: str = "", uv_lock: bytes | None = None
) -> str:
    said = [[line.kind.value, line.text, list(line.hashes)] for line in lines]
    hashed = hashlib.sha256(json.dumps([sorted(said), settings]).encode())
    hashed.update(uv_lock or b"")
    return hashed.hexdigest()


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")
