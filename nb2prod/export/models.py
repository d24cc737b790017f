"""What the preflight says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs: a blocking one makes promotion impossible."""

    BLOCKING = "blocking"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that the preflight found.

    Parameters
    ----------
    code
        Stable name, such as ``name-undefined``; docs/reference/findings.md lists them all.
    cell
        Number of the cell (from 1, among all cells); `None` for the notebook as a whole.
    line
        Line in the cell, from 1.
    message
        What is wrong, in one sentence.
    way_out
        What to do about it, in one sentence.
    silenced_because
        The author's reason for which it does not count; `None` where it counts.
    """

    code: str
    severity: Severity
    message: str
    way_out: str
    cell: int | None = None
    line: int | None = None
    silenced_because: str | None = None

    @property
    def is_silenced(self) -> bool:
        """Whether the author has said that it does not count."""
        return self.silenced_because is not None

    @property
    def blocks(self) -> bool:
        """Whether it makes promotion impossible."""
        return self.severity is Severity.BLOCKING and not self.is_silenced
