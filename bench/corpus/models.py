"""What is known of one notebook of a corpus."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How far a notebook came."""

    UNREADABLE = "unreadable"
    NOT_PYTHON = "not Python"
    EXPORTED = "exported"
    REFUSED = "refused"
    CRASHED = "crashed"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What another tool makes of the same notebook.

    Parameters
    ----------
    is_plain
        Whether Python compiles it.
    lost
        Names that the notebook has and the script lacks.
    """

    is_plain: bool
    lost: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether it is plain Python that lacks no name."""
        return self.is_plain and not self.lost


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One notebook, without running it.

    Parameters
    ----------
    path
        Below the folder that was given.
    reason, detail
        For a refusal: code, and what it was about. For a crash: the error, and its traceback.
    blocked_by
        Codes of blocking findings of the preflight.
    ipython_fault
        Why IPython itself can't read the cells; empty if it can.
    round_trip_fault
        What script and notebook lose on the way there and back; empty if nothing.
    seconds
        From the file's bytes to preflight and script; `None` if it did not come so far.
    peers
        By name.
    """

    path: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    blocked_by: tuple[str, ...] = ()
    ipython_fault: str = ""
    is_plain: bool = False
    lost: tuple[str, ...] = ()
    round_trip_fault: str = ""
    seconds: float | None = None
    peers: dict[str, Peer] = field(default_factory=dict)

    @property
    def is_exported(self) -> bool:
        """Whether there is a script."""
        return self.outcome is Outcome.EXPORTED

    @property
    def is_python(self) -> bool:
        """Whether it was read, and is a Python notebook."""
        return self.outcome not in {Outcome.UNREADABLE, Outcome.NOT_PYTHON}

    @property
    def is_refused(self) -> bool:
        """Whether a reason was given instead of a script."""
        return self.outcome is Outcome.REFUSED

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return asdict(self)
