"""Sweeps for tests: asked for, and their runs brought to an end without running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select, update

from nb2prod.execution.collect import settle
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.recorder import now
from nb2prod.execution.runs import get_run
from nb2prod.jobs.sweeps import Sweep, SweepAsked, create_sweep, get_sweep
from nb2prod.knowledge.pages import publish
from nb2prod.registry.models import Version
from nb2prod.store.git import Repository
from nb2prod.store.schema import runs
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code, markdown, parameters
from tests.helpers.runs import manifest_text

PARAMETERS = 'market: str = "JFK-DL"\nalpha: float = 0.1\ndays: int = 7'


@dataclass
class SweepBench:
    """A project of olga's with a version `train@v1`; edda is its editor, vera a viewer."""

    workspace: Workspace
    project: Project
    version: Version

    @classmethod
    def found(cls, workspace: Workspace, *, title: str = "Seats") -> SweepBench:
        """Found the project ``seats``."""
        project = found_project(workspace, "seats", title=title, owner="olga")
        add_member(workspace, "seats", "edda", Role.EDITOR, person="olga")
        add_member(workspace, "seats", "vera", Role.VIEWER, person="olga")
        version = make_version(
            Repository(project.repository),
            markdown("# Seats departed per day"),
            parameters(PARAMETERS),
            code("print(market, alpha)"),
        )
        return cls(workspace, project, version)

    def sweep(
        self, *, csv_text: str = "", executor: str | None = "process", **axes: object
    ) -> Sweep:
        """Make a sweep that edda asks for."""
        return create_sweep(
            self.workspace,
            self.project,
            self.version,
            SweepAsked(axes=axes, csv_text=csv_text),
            request=RunRequest(by="edda", via="browser", executor=executor),
        )

    def again(self, sweep: Sweep) -> Sweep:
        """The sweep as it is now."""
        return get_sweep(self.workspace, sweep.project, sweep.id, person="edda")

    def records(self, sweep: Sweep, position: int | None = None) -> list[RunRecord]:
        """The runs of a sweep, or at one position, by position and time."""
        query = select(runs.c.id).where(runs.c.sweep_id == sweep.id)
        if position is not None:
            query = query.where(runs.c.sweep_position == position)
        with self.workspace.database.read() as connection:
            found = connection.scalars(query.order_by(runs.c.sweep_position, runs.c.created_at))
            ids = list(found)
        return [get_run(self.workspace, run_id, person="edda") for run_id in ids]

    def begin(self, sweep: Sweep, position: int) -> None:
        """Let the newest run at a position go on."""
        run_id = self.records(sweep, position)[-1].id
        with self.workspace.database.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(status=RunStatus.RUNNING.value, started_at=now())
            )

    def end(
        self,
        sweep: Sweep,
        position: int,
        status: RunStatus = RunStatus.SUCCEEDED,
        metrics: Mapping[str, float] | None = None,
        *,
        seconds: float = 12.0,
        has_page: bool = True,
    ) -> RunRecord:
        """End the newest run at a position, with a page."""
        record = self.records(sweep, position)[-1]
        manifest = manifest_text("mape", lower_is_better=True)
        stored = self.workspace.blobs.put_bytes(manifest.encode())
        at = now()
        ended = settle(
            self.workspace,
            replace(
                record,
                status=status,
                reason="" if status is RunStatus.SUCCEEDED else "Cell 3 failed.",
                started_at=at - timedelta(seconds=seconds),
                ended_at=at,
                metrics=dict(metrics or {}),
                sources={**record.sources, "manifest": stored.sha256},
            ),
        )
        assert ended is not None
        if has_page:
            publish(self.workspace, record.id)
        return ended
