"""What a run leaves for CI beside its page: a JUnit report, a Markdown summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb2prod.errors import storage_error
from nb2prod.execution.models import RunRecord
from nb2prod.knowledge.ci_reports import junit_report, markdown_summary
from nb2prod.knowledge.models import MetricChange, PageView


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Files to be written when a run has ended; `None` for none.

    Parameters
    ----------
    summary
        Is added to its end, as GitHub's step summary has it.
    """

    junit: Path | None = None
    summary: Path | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be written."""
        return self.junit is None and self.summary is None

    def prepare(self) -> None:
        """Make the files' folders; raises `StorageFull` or `StorageUnusable` before any run."""
        for path in (self.junit, self.summary):
            if path is not None:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise storage_error(path.parent, error) from error

    def write(
        self,
        record: RunRecord,
        headings: Mapping[int, str],
        change: Change,
        *,
        address: str | None,
    ) -> None:
        """Write them; raises `StorageFull` or `StorageUnusable`.

        Parameters
        ----------
        headings
            As `ProgressPrinter.headings`.
        address
            Of the run's page; `None` where nobody can open it.
        """
        if self.junit is not None:
            _write(self.junit, junit_report(record, headings), mode="w")
        if self.summary is not None:
            text = markdown_summary(
                record, change.metrics, baseline=change.baseline, address=address
            )
            _write(self.summary, text, mode="a")


@dataclass(frozen=True, kw_only=True)
class Change:
    """A run's metrics, and how they stand against an older version's; empty where unknown."""

    metrics: Sequence[MetricChange] = ()
    baseline: str | None = None

    @classmethod
    def of_page(cls, page: PageView) -> Change:
        """Return what a page here says."""
        baseline = page.baseline
        version = None if baseline is None else f"{page.record.pipeline}@v{baseline.version}"
        return cls(metrics=page.metrics, baseline=version)

    @classmethod
    def of_answer(cls, record: RunRecord, page: Mapping[str, Any] | None) -> Change:
        """Return what the page in a workspace on another machine says, if there is one."""
        if page is None:
            return cls()
        baseline = page["baseline"]
        return cls(
            metrics=[_metric(item) for item in page["metrics"]],
            baseline=None if baseline is None else f"{record.pipeline}@v{baseline['version']}",
        )


def _metric(item: Mapping[str, Any]) -> MetricChange:
    # What is no finite number has no JSON.
    value = math.nan if item["value"] is None else item["value"]
    return MetricChange(
        name=item["name"],
        value=value,
        before=item["before"],
        lower_is_better=item["lower_is_better"],
    )


def _write(path: Path, text: str, *, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise storage_error(path, error) from error
