"""What the API takes and gives of sweeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from nb2prod.execution.models import Profile, RunStatus
from nb2prod.jobs.sweep_values import SweepPlan
from nb2prod.jobs.sweeps import Sweep, SweepAsked, SweepRow, SweepTable
from nb2prod.server.api_models import FromDomain
from nb2prod.server.ci_models import NewCiContext
from nb2prod.server.gallery import Gallery
from nb2prod.server.project_models import Asked

PREVIEW_ROWS = 20

Order = Literal["asc", "desc"]


class NewSweep(Asked):
    """A sweep that is asked for: the lines of the CSV, times the product of all axes."""

    pipeline: str
    version: int | None = Field(None, ge=1, le=1_000_000, description="By default the newest.")
    axes: dict[str, Any] = Field(
        default_factory=dict,
        description="By parameter: a text as people write it, such as `a, b`, `1..10`,"
        " `0.1..0.5 step 0.1` or `1e-4..1e-1 log 4`; or a list of values; or the only value.",
    )
    csv: str = Field(
        "", description="First line: names of parameters; each further line: their values."
    )
    profile: Profile = Field(
        Profile.FULL, description="Where values come from that are not given: smoke ones are small."
    )
    ci: NewCiContext | None = Field(None, description="What CI says of itself.")

    @property
    def asked(self) -> SweepAsked:
        """What it is to go through."""
        return SweepAsked(axes=self.axes, csv_text=self.csv)


class SweepPreview(BaseModel):
    """What a sweep would go through; nothing is made."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    count: int = Field(description="How many runs it would be.")
    varied: list[str] = Field(description="The parameters that have several values.")
    rows: list[dict[str, Any]] = Field(description=f"The first {PREVIEW_ROWS} runs' values.")


class SweepItem(FromDomain):
    """A sweep in a list."""

    id: str
    project: str
    pipeline: str
    version: int
    profile: Profile
    varied: list[str] = Field(description="The parameters that have several values.")
    count: int = Field(description="How many runs it is.")
    counts: dict[str, int] = Field(
        description="How many there are of each status that occurs; `not_run` where nobody has"
        " asked for one yet."
    )
    is_open: bool = Field(description="Whether something waits or goes on.")
    requested_by: str
    requested_via: str
    created_at: datetime
    cancelled_at: datetime | None
    url: str = Field("", description="Path of its page in the gallery.")


class SweepList(BaseModel):
    """A part of a project's sweeps, newest first."""

    items: list[SweepItem]
    total: int
    offset: int
    limit: int


class SweepRowBody(FromDomain):
    """A position of a sweep, with its newest run."""

    position: int
    parameters: dict[str, Any] = Field(description="Those that have several values.")
    run_id: str | None
    status: RunStatus | Literal["not_run"]
    reason: str
    tries: int = Field(description="How many runs the position has had.")
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    metrics: dict[str, float | None]
    is_best: bool = Field(description="Whether no other run has a better main metric.")
    page: str | None = Field(None, description="Path of its page, once there is one.")


class SweepBody(SweepItem):
    """A sweep, and a part of its table."""

    asked: dict[str, Any] = Field(description="By parameter, what was written for it.")
    csv_columns: list[str] = Field(description="The parameters that a CSV gave the values of.")
    metrics: list[str] = Field(description="Names of all metrics, the main one first.")
    main_metric: str | None
    lower_is_better: bool | None
    sort: str
    order: Order
    status: str | None = Field(description="The one status that is shown; null for all.")
    offset: int
    limit: int
    total: int = Field(description="How many rows the status leaves.")
    csv_url: str = Field(description="Path of the whole table as CSV.")
    rows: list[SweepRowBody]


def sweep_preview(plan: SweepPlan) -> SweepPreview:
    """Return what a sweep would go through."""
    rows = plan.positions[:PREVIEW_ROWS]
    return SweepPreview(
        count=len(plan.positions),
        varied=list(plan.varied),
        rows=[dict(zip(plan.names, values, strict=True)) for values in rows],
    )


def sweep_item(gallery: Gallery, sweep: Sweep) -> SweepItem:
    """Return a sweep as lists have it."""
    item = SweepItem.model_validate(sweep)
    item.url = sweep_path(gallery, sweep)
    return item


def sweep_body(gallery: Gallery, table: SweepTable, *, limit: int) -> SweepBody:
    """Return a sweep with a part of its table."""
    sweep, query = table.sweep, table.query
    return SweepBody(
        **sweep_item(gallery, sweep).model_dump(),
        asked=dict(sweep.asked),
        csv_columns=list(sweep.csv_columns),
        metrics=list(table.metrics),
        main_metric=table.main_metric,
        lower_is_better=table.lower_is_better,
        sort=query.sort,
        order="desc" if query.is_descending else "asc",
        status=query.status,
        offset=query.offset,
        limit=limit,
        total=table.total,
        csv_url=csv_path(gallery, sweep),
        rows=[_row(gallery, sweep, row) for row in table.rows],
    )


def sweep_path(gallery: Gallery, sweep: Sweep) -> str:
    """Return the path of a sweep's page."""
    return gallery.path("projects", quote(sweep.project, safe=""), "sweeps", sweep.id)


def csv_path(gallery: Gallery, sweep: Sweep) -> str:
    """Return the path of a sweep's table as CSV."""
    project = quote(sweep.project, safe="")
    return gallery.path("api", "v1", "projects", project, "sweeps", sweep.id, "csv")


def _row(gallery: Gallery, sweep: Sweep, row: SweepRow) -> SweepRowBody:
    body = SweepRowBody.model_validate(row)
    body.parameters = {name: row.parameters[name] for name in sweep.varied}
    if row.has_page:
        body.page = gallery.path("pages", row.run_id)
    return body
