"""The record of a run: what is known for certain of how it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from nb2prod.settings import DEFAULT_RESOURCES, RemoteSettings

# Of a branch's name, git itself allows more.
MAX_BRANCH = 255


class RunStatus(StrEnum):
    """How a run stands; everything but `QUEUED` and `RUNNING` is final.

    Unknown is never success: a run whose runner vanished without a word is `LOST`.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    KERNEL_DIED = "kernel_died"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether the run has come to its end."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class CellStatus(StrEnum):
    """How a code cell stands; as `RunStatus`, and `NOT_RUN` where it was not reached."""

    NOT_RUN = "not_run"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    KERNEL_DIED = "kernel_died"
    LOST = "lost"


class FileAccess(StrEnum):
    """What a run did with a file; one that it read and wrote counts as written."""

    READ = "read"
    WRITTEN = "written"


class ArtifactKind(StrEnum):
    """What an artifact is for a reader."""

    TABLE = "table"
    FIGURE = "figure"
    MODEL = "model"
    FILE = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class CellRecord:
    """What happened to one code cell of the executed notebook.

    Parameters
    ----------
    number
        Place among all cells of the executed notebook, from 1. (It has one cell more than
        the author's: the injected parameters.)
    error
        ``NameError: name 'x' is not defined``, for a cell that failed.
    peak_memory_mb
        The most memory that the kernel's own process had at once while the cell ran; `None` where
        it can't be known, as after its death.
    """

    number: int
    status: CellStatus = CellStatus.NOT_RUN
    started_at: datetime | None = None
    ended_at: datetime | None = None
    execution_count: int | None = None
    error: str | None = None
    peak_memory_mb: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileUse:
    """A file under the project that a run read or wrote.

    Parameters
    ----------
    path
        Relative to the project's root, with ``/``.
    sha256
        Of the content soon after the run had read it, or at the run's end for a written one;
        `None` where the file was gone by then.
    is_changed
        A file that was read and that had another content at the run's end, or was written
        between its reading and its hashing, though not by this run.
    """

    path: str
    access: FileAccess
    sha256: str | None
    size_bytes: int | None
    is_changed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A content that the run left: a file that it wrote, or that it gave to MLflow."""

    name: str
    kind: ArtifactKind
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where a run took place; texts as the interpreter and the system give them.

    Parameters
    ----------
    gpus
        Models of the GPUs that it might use.
    gpu_driver
        Version of their driver; empty where there is none.
    """

    python: str
    platform: str
    cpu: str
    cpu_count: int
    host: str
    gpus: tuple[str, ...] = ()
    gpu_driver: str = ""


class RandomSource(StrEnum):
    """What draws random numbers, and can be given a seed from outside."""

    RANDOM = "random"
    NUMPY = "numpy"
    TORCH = "torch"
    R = "R"
    BASH = "bash"


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """What was fixed around a run, so that the same version and values give the same again.

    Parameters
    ----------
    seed
        What random generators begin with, from 0 to 2^31 - 1.
    hash_seed
        ``PYTHONHASHSEED``: the order of sets of texts depends on it.
    threads
        How many threads OpenMP and BLAS take: the order of a sum depends on it.
    time_zone, locale
        Of the kernel's process.
    seeded
        What was given the seed; what was never imported is not among them.
    """

    seed: int
    hash_seed: str
    threads: int
    time_zone: str
    locale: str
    seeded: tuple[RandomSource, ...] = ()


class Profile(StrEnum):
    """Which of a version's values a run starts from: its defaults, or its small ones."""

    FULL = "full"
    SMOKE = "smoke"


@dataclass(frozen=True, kw_only=True, slots=True)
class CiContext:
    """What CI said of itself when it asked for a run; texts as it gave them, empty if unsaid.

    Parameters
    ----------
    commit
        Of the team's own repository, not of the pipeline's.
    branch
        Or the name of the pull request.
    url
        Address of the CI job; ``https`` or ``http``.
    """

    commit: str = ""
    branch: str = ""
    url: str = ""

    @classmethod
    def of(cls, settings: RemoteSettings) -> CiContext | None:
        """Return what the environment says of CI; `None` where it says nothing."""
        context = cls(
            commit=settings.ci_commit,
            branch=settings.ci_branch[:MAX_BRANCH],
            url=settings.ci_url,
        )
        return None if context == cls() else context

    def said(self) -> dict[str, str]:
        """Return it as the API takes it."""
        return {"commit": self.commit, "branch": self.branch, "url": self.url}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """Who asks for a run, and how it is to go about it.

    Parameters
    ----------
    by, via
        As `RunRecord.requested_by` and ``requested_via``.
    executor
        Who is to bring it to its end (`nb2prod.jobs`); `None` for who asks.
    timeout_s, cell_timeout_s
        In place of what the version says; `None` leaves that.
    sweep, sweep_position
        Id of the sweep that it is one of, and its place there, from 1.
    schedule, ci, profile
        As in `RunRecord`.
    """

    by: str
    via: str
    executor: str | None = None
    profile: Profile = Profile.FULL
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    sweep: str | None = None
    sweep_position: int | None = None
    schedule: str | None = None
    ci: CiContext | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A failure of a run that was tried again.

    Parameters
    ----------
    log_sha256
        Of what it had printed.
    """

    number: int
    status: RunStatus
    reason: str
    started_at: datetime | None
    ended_at: datetime
    log_sha256: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is known of a run; immutable once it has ended.

    Parameters
    ----------
    id
        12 characters of a–z and 2–7.
    version, commit
        Number and commit of the version that ran.
    parameters
        All parameters with the values used, defaults included (JSON values).
    reason
        A sentence on how it came to its end; empty for a plain success.
    requested_via
        ``cli``, ``papermill``, ``browser``, ``api``, ``ci``, ``schedule``.
    sources
        sha256 of stored contents by name: ``script`` (the version's script), ``notebook``
        (the version as a notebook, without outputs), ``manifest``, ``lock``, ``executed``
        (the executed notebook), ``log`` (what it printed).
    machine
        `None` where the kernel never answered.
    conditions
        `None` where it did not come to a kernel.
    is_lineage_complete
        False where the kernel could not tell which files it opened.
    mlflow_run_id
        `None` where MLflow is not installed.
    notes
        Sentences that a reader should know and that don't change the status: another
        environment than the lock's, code that is not as committed, a metric that is no number.
    profile
        Where the values come from that nobody gave.
    resources
        Name of the resource class, by which it is queued and limited.
    timeout_s, cell_timeout_s
        Seconds that all cells together, or one, may take; `None` is without end.
    sweep, schedule
        Id of what it is one of, or of what made it.
    ci
        `None` where it was not CI that asked.
    attempts
        Failures before this one that were tried again, oldest first.
    peak_memory_mb, memory_limit_mb
        The most memory that it used at once, files that the system keeps in memory included, and
        how much it might; `None` where it had none of its own.
    language
        Of the version: a key of `nb2prod.notebook.languages.LANGUAGES`.
    """

    id: str
    project: str
    pipeline: str
    version: int
    commit: str
    parameters: dict[str, Any]
    status: RunStatus
    reason: str
    requested_by: str
    requested_via: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    kernel_name: str
    lock_sha256: str
    lock_is_observed: bool
    machine: Machine | None = None
    conditions: Conditions | None = None
    cells: tuple[CellRecord, ...] = ()
    files: tuple[FileUse, ...] = ()
    is_lineage_complete: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    mlflow_run_id: str | None = None
    notes: tuple[str, ...] = ()
    profile: Profile = Profile.FULL
    resources: str = DEFAULT_RESOURCES
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    sweep: str | None = None
    schedule: str | None = None
    ci: CiContext | None = None
    attempts: tuple[Attempt, ...] = ()
    peak_memory_mb: int | None = None
    memory_limit_mb: int | None = None
    language: str = "python"

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; `None` while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def reference(self) -> str:
        """The version as people write it."""
        return f"{self.pipeline}@v{self.version}"
