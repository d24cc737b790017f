"""The environment lock of a version: from what the project declares, else observed.

In this order, and each only where the one before can't be had:

1. the lock that a version of the project has already, made of the same declaration for the same
   Python: a release of some package meanwhile makes no new version;
2. a requirements file in which everything is pinned with hashes, and a ``uv.lock`` that is up to
   date: as they are;
3. a new resolution by uv, which takes the versions that the kernel has installed where they fit;
4. what the kernel has installed, with a finding that says why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nb2prod.export.models import Finding
from nb2prod.registry.declaration import PROJECT_FILE, UV_LOCK_FILE, Declaration, find_declaration
from nb2prod.registry.findings import finding
from nb2prod.registry.lock import ObservedEnvironment, read_pins
from nb2prod.registry.models import EnvironmentLock
from nb2prod.registry.project_files import ProjectFiles
from nb2prod.registry.requirements import LineKind, RequirementLine
from nb2prod.registry.uv import Resolution, Resolving, export_lock, resolve


@dataclass(frozen=True, kw_only=True)
class Locking:
    """The lock of an environment, and what there is to be said of it."""

    lock: EnvironmentLock
    findings: tuple[Finding, ...] = ()


def lock_environment(
    files: ProjectFiles | None,
    directory: str,
    observed: ObservedEnvironment,
    former: Iterable[EnvironmentLock],
) -> Locking:
    """Return the lock that a new version gets.

    Parameters
    ----------
    files
        The project's; `None` where they can't be read here.
    directory
        The notebook's folder.
    former
        Locks of the project's newest versions, the pipeline's own first; looked at only where
        something is declared.
    """
    declaration = None if files is None else find_declaration(files, directory)
    if files is None or declaration is None:
        return Locking(lock=observed.lock, findings=(_observed(observed),))
    known = tuple(former)
    found = _locked(files, declaration, observed, known)
    if found.reason:
        return Locking(lock=observed.lock, findings=(_not_locked(declaration, found.reason),))
    lock = EnvironmentLock(
        text=found.lock,
        python=observed.lock.python,
        is_observed=False,
        declared_in=declaration.path,
        declaration=declaration.sha256,
    )
    return Locking(lock=lock, findings=tuple(_left_out(declaration)))


def _locked(
    files: ProjectFiles,
    declaration: Declaration,
    observed: ObservedEnvironment,
    former: tuple[EnvironmentLock, ...],
) -> Resolution:
    trouble = declaration.trouble or ("" if files.is_own else _foreign(declaration))
    if not trouble and not any(line.kind is LineKind.REQUIREMENT for line in declaration.lines):
        trouble = f"{declaration.path} names no packages."
    if trouble:
        return Resolution(reason=trouble)
    known = next((lock.text for lock in former if _is_of(lock, declaration, observed)), "")
    if known or declaration.pinned:
        return Resolution(lock=known or declaration.pinned)
    if declaration.uv_lock is not None:
        return _exported(files, declaration)
    return resolve(_asked(files, declaration, observed, former))


def _is_of(lock: EnvironmentLock, declaration: Declaration, observed: ObservedEnvironment) -> bool:
    is_same = lock.declared_in and lock.declaration == declaration.sha256
    return bool(is_same) and _minor(lock.python) == _minor(observed.lock.python)


def _foreign(declaration: Declaration) -> str:
    """Say which line a stranger must not have us follow: another index, or an address."""
    for line in declaration.lines:
        if line.kind is LineKind.OPTION or "@" in line.text.partition(";")[0]:
            return f"`{line.text}` leads elsewhere than to the index that the workspace knows."
    return ""


def _exported(files: ProjectFiles, declaration: Declaration) -> Resolution:
    if files.root is not None and files.is_own:
        return export_lock(files.root / declaration.folder, group=declaration.group)
    # uv may read what it likes in here, and finds these two files only.
    with tempfile.TemporaryDirectory(prefix="nb2prod-lock-") as name:
        folder = Path(name)
        (folder / PROJECT_FILE).write_bytes(files.read(declaration.path) or b"")
        (folder / UV_LOCK_FILE).write_bytes(declaration.uv_lock or b"")
        return export_lock(folder, group=declaration.group, cache=folder / "cache")


def _asked(
    files: ProjectFiles,
    declaration: Declaration,
    observed: ObservedEnvironment,
    former: tuple[EnvironmentLock, ...],
) -> Resolving:
    options = _texts(declaration, LineKind.OPTION)
    is_read_there = declaration.is_project and files.is_own and files.root is not None
    source = (files.root or Path()) / declaration.path if is_read_there else None
    own = next((lock for lock in former if not lock.is_observed), None)
    return Resolving(
        requirements=options + _texts(declaration, LineKind.REQUIREMENT),
        constraints=_texts(declaration, LineKind.CONSTRAINT),
        python=observed.lock.python,
        preferred=own.text if own else _preferences(observed),
        source=source,
        group=declaration.group if source else (),
        is_own=files.is_own,
    )


def _preferences(observed: ObservedEnvironment) -> str:
    """Write the installed versions; of a build of somebody's own (``+cpu``) the release."""
    pins = read_pins(observed.lock)
    return "".join(f"{name}=={version.partition('+')[0]}\n" for name, version in pins.items())


def _texts(declaration: Declaration, kind: LineKind) -> str:
    return "".join(f"{_with_hashes(line)}\n" for line in declaration.lines if line.kind is kind)


def _with_hashes(line: RequirementLine) -> str:
    return " ".join([line.text, *(f"--hash={digest}" for digest in line.hashes)])


def _minor(python: str) -> tuple[str, ...]:
    return tuple(python.split(".")[:2])


def _observed(observed: ObservedEnvironment) -> Finding:
    return finding(
        "environment-observed",
        f"The environment lock lists what is installed for {observed.lock.interpreter}"
        " now; nothing declares it.",
    )


def _not_locked(declaration: Declaration, reason: str) -> Finding:
    said = finding(
        "environment-not-locked",
        f"{declaration.path} declares the environment, and it can't be locked, so the lock lists"
        f" what is installed now. {reason}",
    )
    is_old = "run `uv lock`" in reason
    return replace(said, way_out="Run `uv lock` and promote again.") if is_old else said


def _left_out(declaration: Declaration) -> Iterator[Finding]:
    if declaration.local:
        yield finding(
            "environment-local-package",
            f"Not in the lock, since {declaration.path} takes it from a folder or file of a"
            f" machine: {', '.join(declaration.local)}.",
        )
