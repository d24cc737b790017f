"""Executors by name: ours and those of other packages, from the entry point group.

An entry of `GROUP` names a factory: called with the workspace and the surroundings that its
containers would have, it gives a context manager of an `Executor`, which is closed when the
dispatcher ends. What the executor has started then goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points

from nb2prod.errors import ExecutorMissing
from nb2prod.jobs.models import Executor
from nb2prod.workspace.policy import Surroundings
from nb2prod.workspace.workspace import Workspace

GROUP = "nb2prod.executors"

Factory = Callable[[Workspace, Surroundings], AbstractContextManager[Executor]]


def executor_names() -> tuple[str, ...]:
    """Return the names of all executors that are installed, in alphabetical order."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


@contextmanager
def open_executor(
    name: str, workspace: Workspace, surroundings: Surroundings
) -> Iterator[Executor]:
    """Give the executor of a name.

    Raises
    ------
    ExecutorMissing
        None is installed by that name, or what is can't be used.
    Unavailable
        What it works with is not there, such as an engine.
    """
    with _factory(name)(workspace, surroundings) as executor:
        if executor.name != name:
            raise ExecutorMissing(
                f"The executor {name!r} of the entry points {GROUP} calls itself"
                f" {executor.name!r}, so its runs could not be found again. That is an error in"
                " the package that brings it."
            )
        yield executor


def _factory(name: str) -> Factory:
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(executor_names()) or "none"
        raise ExecutorMissing(
            f"No executor {name!r} is installed (there is: {known}). Install the package that"
            f" brings it among its entry points {GROUP}, or start the workspace in another mode."
        )
    try:
        factory: Factory = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ExecutorMissing(
            f"The executor {name!r} can't be loaded from {found[0].value}: {error}."
        ) from error
    return factory
