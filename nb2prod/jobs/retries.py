"""Which failures of a run are tried again, and when."""

from __future__ import annotations

from nb2prod.execution.models import CellStatus, RunRecord, RunStatus
from nb2prod.registry.models import Retry

# However a pipeline says it, nobody waits longer for a new attempt.
MAX_DELAY_S = 3600.0


def pause_before(retry: Retry, record: RunRecord) -> float | None:
    """Return the seconds before a failed run's next attempt; `None` where there is none.

    Only failures that the pipeline names are tried again, and each wait is twice as long as the
    one before.

    Parameters
    ----------
    retry
        What the version says.
    record
        Of the attempt that has ended, with those before it.

    >>> from nb2prod.registry.models import Retry
    >>> Retry(limit=2, on=("lost",)).delay_s
    10.0
    """
    failures = len(record.attempts)
    if failures >= retry.limit or not names_of(record) & set(retry.on):
        return None
    return min(MAX_DELAY_S, retry.delay_s * 2.0**failures)


def names_of(record: RunRecord) -> frozenset[str]:
    """Return the names by which a pipeline may know a run's failure; none for another end."""
    if record.status in (RunStatus.LOST, RunStatus.KERNEL_DIED, RunStatus.TIMED_OUT):
        return frozenset({record.status.value})
    if record.status is not RunStatus.FAILED:
        return frozenset()
    if all(cell.status is CellStatus.NOT_RUN for cell in record.cells):
        return frozenset({"kernel_unavailable"})
    errors = (cell.error for cell in record.cells if cell.status is CellStatus.FAILED)
    # `requests.ConnectionError: …`, or, for one without words, the name alone.
    names = ((error or "").partition(":")[0].strip() for error in errors)
    return frozenset(name for full in names for name in (full, full.rpartition(".")[2]) if name)
