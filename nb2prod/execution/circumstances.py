"""What a reader of a run should know of its circumstances: sentences, or nothing to say.

A run may succeed and yet not be what its version says: with other packages than its lock's, or
with code of the project that is not as in its commit. That doesn't stop it; it is written down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from nb2prod.errors import KernelUnavailable
from nb2prod.execution.models import FileAccess, FileUse
from nb2prod.registry.coverage import is_same_version
from nb2prod.registry.lock import installed, observe_environment
from nb2prod.registry.models import EnvironmentLock, Version
from nb2prod.store.git import Repository

SHOWN_AT_MOST = 5


def environment_note(kernel_name: str, lock: EnvironmentLock) -> str:
    """Compare what a kernel's environment has installed now with a version's lock.

    Returns
    -------
    str
        A sentence on the differences; empty where there are none.
    """
    try:
        now = observe_environment(kernel_name).lock
    except KernelUnavailable as error:
        return f"The environment could not be compared with the lock: {error}"
    return lock_note(lock, now)


def lock_note(lock: EnvironmentLock, now: EnvironmentLock) -> str:
    r"""Compare what is installed with a lock; empty where nothing is to be said.

    Examples
    --------
    >>> observed = EnvironmentLock(text="pip==25\nsix==1.1\n", python="3.11.7", is_observed=True)
    >>> lock = EnvironmentLock(text="cuda==13\nsix==1.0\n", python="3.11.7", is_observed=False)
    >>> lock_note(lock, observed)
    "The environment is not that of the version's lock: six 1.0 → 1.1, and 1 package absent."
    """
    locked, found = _comparable(lock, now)
    absent = set() if lock.is_observed else set(locked) - set(found)
    # By the dozen where a build for the processor stands for one with a GPU's libraries.
    changes = package_changes({name: locked[name] for name in locked if name not in absent}, found)
    words = [listed(changes)] if changes else []
    if absent:
        words.append(f"{len(absent)} package{'s' * (len(absent) > 1)} absent")
    if not words:
        return ""
    return f"The environment is not that of the version's lock: {', and '.join(words)}."


def package_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Write each package whose version differs.

    >>> package_changes({"numpy": "1.0", "six": "1.0"}, {"numpy": "2.0", "pip": "3.0"})
    ('numpy 1.0 → 2.0', 'pip absent → 3.0', 'six 1.0 → absent')
    """
    return tuple(
        f"{name} {before.get(name, 'absent')} → {after.get(name, 'absent')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def code_note(version: Version, files: Iterable[FileUse]) -> str:
    """Compare the project's own modules that a run used with those of its version's commit.

    Returns
    -------
    str
        A sentence on those that differ, or that the commit has not; empty where there are none,
        and for a bare repository, whose commits hold pipelines and no other code.
    """
    repository = Repository(version.repository)
    if repository.is_bare():
        return ""
    strangers = []
    for use in files:
        if use.access is FileAccess.READ and PurePosixPath(use.path).suffix == ".py":
            committed = repository.read_file(version.commit, use.path)
            if committed is None or hashlib.sha256(committed).hexdigest() != use.sha256:
                strangers.append(use.path)
    if not strangers:
        return ""
    return f"Code of the project was not as in commit {version.commit[:10]}: {listed(strangers)}."


def modules_note(modules: Iterable[str]) -> str:
    """Say which copies of the project's own modules ran; empty where none did.

    >>> modules_note({"models/lags.py", "helpers.py"})
    "Ran the version's own copy of helpers.py, models/lags.py."
    """
    known = sorted(modules)
    return f"Ran the version's own copy of {listed(known)}." if known else ""


def secrets_note(artifacts: Iterable[str]) -> str:
    """Say which artifacts are not kept, for what they hold.

    >>> secrets_note(["report.csv [secret DB_PASSWORD]"])
    'Not kept as artifacts, since secrets are in them: report.csv [secret DB_PASSWORD].'
    """
    return f"Not kept as artifacts, since secrets are in them: {listed(artifacts)}."


def listed(items: Iterable[str]) -> str:
    """Write the first few of some items, and how many more there are."""
    shown = list(items)
    rest = len(shown) - SHOWN_AT_MOST
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(shown[:SHOWN_AT_MOST]) + more


def _comparable(
    lock: EnvironmentLock, now: EnvironmentLock
) -> tuple[dict[str, str], dict[str, str]]:
    locked, found = installed(lock), installed(now)
    if lock.is_observed:
        return locked, found
    # What a project declares is a part of what its kernel has, and of no build in particular.
    return locked, {
        name: locked[name] if is_same_version(locked[name], version) else version
        for name, version in found.items()
        if name in locked
    }
