"""What an executor is, and what it says of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from nb2prod.execution.evidence import Verdict
from nb2prod.execution.memory import shortage
from nb2prod.execution.models import RunStatus
from nb2prod.execution.worker import NO_ROOM
from nb2prod.registry.interpreters import how_it_ended
from nb2prod.registry.models import Network
from nb2prod.settings import ResourceClass
from nb2prod.workspace.projects import Project

# A shell, and Docker, tell of a process that a signal ended by 128 and the signal's number.
_SIGNALLED = 128
_NO_ROOM = (
    "No space was left on the disk for what the run put out, so it was ended; what it had recorded"
    " by then is kept. Free some space, and run it again."
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run that is to be started.

    Parameters
    ----------
    work
        Folder that its worker is given: everything that it needs, and where it writes.
    resources
        What it may use.
    network
        What it may reach.
    environment
        Gives the run's own environment variables: the token with which it speaks for its person
        in its project, and the secrets that its pipeline names. Called where the run is really
        started, and not where it is found started already.
    """

    run_id: str
    project: Project
    work: Path
    resources: ResourceClass
    network: Network
    environment: Callable[[], Mapping[str, str]]


class Standing(StrEnum):
    """How what an executor started stands."""

    ABSENT = "absent"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run's worker ended, as its executor saw it; the run's own log says more.

    Parameters
    ----------
    exit_status
        Negative for a signal; `None` where nobody knows.
    is_out_of_memory
        Whether the system ended something of the run because its memory was used up.
    memory_mb
        How much memory it might use; `None` where it had no limit of its own.
    peak_memory_mb
        How much it used at most, as seen from outside; `None` where nobody knows.
    resources
        Name of its resource class; empty where nobody knows.
    is_cancelled
        Whether somebody asked for its end.
    last_words
        What the worker itself said last, outside of any cell.
    notes
        Sentences for the run's record, on what the executor can't give.
    """

    exit_status: int | None = None
    is_out_of_memory: bool = False
    memory_mb: int | None = None
    peak_memory_mb: int | None = None
    resources: str = ""
    is_cancelled: bool = False
    last_words: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What to make of a run whose own log has no end."""
        reason, remark = f"The run's worker {self._end()}.", ""
        status = RunStatus.LOST
        if self.is_out_of_memory:
            status, reason = RunStatus.KERNEL_DIED, self._shortage("The run")
            remark = self._shortage("A process of the run")
        elif self.exit_status == NO_ROOM:
            status, reason = RunStatus.FAILED, _NO_ROOM
        elif self.is_cancelled:
            status = RunStatus.CANCELLED
            reason = "Cancelled before the run could say how it stood."
        return Verdict(
            status=status,
            reason=reason,
            remark=remark,
            peak_memory_mb=self.peak_memory_mb,
            memory_limit_mb=self.memory_mb,
            notes=self.notes,
        )

    def _shortage(self, who: str) -> str:
        return shortage(
            who,
            peak_mb=self.peak_memory_mb,
            limit_mb=self.memory_mb,
            resources=self.resources,
        )

    def _end(self) -> str:
        if self.exit_status is None:
            return "ended without a word: it was killed, or its machine went down"
        number = self.exit_status - _SIGNALLED if self.exit_status > _SIGNALLED else 0
        number = -self.exit_status if self.exit_status < 0 else number
        if number:
            return how_it_ended(-number)
        words = f"; it said: {self.last_words}" if self.last_words else ""
        return f"ended with exit status {self.exit_status} before the run had an end{words}"


class Executor(Protocol):
    """Brings runs to their end: four verbs by run id, each of which may be repeated.

    What it starts is detached: it goes on when the dispatcher ends, and a new one attaches to
    it by the run's id. An executor keeps no state but what the system and the run's folder have.
    """

    @property
    def name(self) -> str:
        """What ``runs.executor`` says for its runs."""
        ...

    def start(self, job: Job) -> None:
        """Start a run's worker, unless it was started before; returns at once.

        Raises
        ------
        EngineUnreachable
            It may work later.
        Nb2prodError
            It can't be started; the message says why, for the run's page.
        """
        ...

    def attach(self, run_id: str) -> Standing:
        """Say how a run's worker stands; raises `EngineUnreachable`."""
        ...

    def cancel(self, run_id: str) -> None:
        """Ask a run's worker to end; nothing where there is none. Returns at once."""
        ...

    def collect(self, run_id: str) -> Outcome:
        """Say how a run's worker ended, keep its log, and remove what is left of it.

        To be called when it has ended; what still runs of it is ended.
        """
        ...

    def known(self) -> tuple[str, ...]:
        """Return the ids of all runs that it has started and that were not collected."""
        ...
