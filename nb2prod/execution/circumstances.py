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
from nb2prod.registry.lock import observe_environment, read_pins
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
    changes = package_changes(_pins(lock), _pins(now))
    if not changes:
        return ""
    return f"The environment is not that of the version's lock: {listed(changes)}."


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


def _pins(lock: EnvironmentLock) -> dict[str, str]:
    return {"python": lock.python, **read_pins(lock)}
