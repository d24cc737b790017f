"""What the API answers with; OpenAPI is made from these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nb2prod.execution.models import (
    ArtifactKind,
    CellStatus,
    FileAccess,
    Profile,
    RandomSource,
    RunRecord,
    RunStatus,
)
from nb2prod.execution.progress import Progress
from nb2prod.knowledge.models import MetricChange, PageCard, PageView
from nb2prod.server.gallery import Gallery


class FromDomain(BaseModel):
    """Made from a dataclass of ours by the names of its fields."""

    # Infinities and NaN are no JSON: they become null.
    model_config = ConfigDict(from_attributes=True, ser_json_inf_nan="null")


class MetricBody(FromDomain):
    """A metric and how it stands against another run; ``null`` where it is no finite number."""

    name: str
    value: float | None
    before: float | None
    change: float | None
    lower_is_better: bool | None
    is_better: bool | None


class PageItem(FromDomain):
    """A page in a list."""

    run_id: str
    project: str
    pipeline: str
    version: int
    title: str
    conclusion: str
    status: RunStatus
    main_metric: MetricBody | None
    author: str
    created_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    profile: Profile
    url: str = Field("", description="Path of the page in the gallery.")
    poster_url: str | None = Field(None, description="Path of the picture on its card.")


class FacetBody(FromDomain):
    """A value by which the list can be narrowed, with the pages that it would leave."""

    value: str
    count: int


class PageList(BaseModel):
    """A part of the pages that a filter finds; ``total`` counts them all."""

    items: list[PageItem]
    total: int
    offset: int
    limit: int
    facets: dict[str, list[FacetBody]]


class CellBody(FromDomain):
    """What happened to a code cell."""

    number: int
    status: CellStatus
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    peak_memory_mb: int | None = Field(description="Of the kernel's own process, in the cell.")


class FileBody(FromDomain):
    """A file that the run read or wrote."""

    path: str
    access: FileAccess
    sha256: str | None
    size_bytes: int | None
    is_changed: bool


class ArtifactBody(FromDomain):
    """A content that the run left."""

    name: str
    kind: ArtifactKind
    media_type: str
    sha256: str
    size_bytes: int


class MachineBody(FromDomain):
    """Where the run took place."""

    python: str
    platform: str
    cpu: str
    cpu_count: int
    host: str
    gpus: list[str]
    gpu_driver: str


class ConditionsBody(FromDomain):
    """What was fixed around the run, so that it can be repeated."""

    seed: int = Field(description="What random generators began with.")
    hash_seed: str = Field(description="PYTHONHASHSEED.")
    threads: int = Field(description="How many threads OpenMP and BLAS took.")
    time_zone: str
    locale: str
    seeded: list[RandomSource] = Field(description="What was given the seed.")


class CiBody(FromDomain):
    """Where in CI a run was asked for; texts are empty where nothing was said."""

    commit: str
    branch: str
    url: str


class AttemptBody(FromDomain):
    """A failure of a run that was tried again."""

    number: int
    status: RunStatus
    reason: str
    started_at: datetime | None
    ended_at: datetime
    log_sha256: str


class RunBody(FromDomain):
    """The record of a run."""

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
    duration_s: float | None
    kernel_name: str
    lock_sha256: str
    lock_is_observed: bool
    machine: MachineBody | None
    conditions: ConditionsBody | None
    cells: list[CellBody]
    files: list[FileBody]
    is_lineage_complete: bool
    metrics: dict[str, float | None]
    artifacts: list[ArtifactBody]
    sources: dict[str, str]
    notes: list[str]
    mlflow_run_id: str | None
    profile: Profile = Field(description="Where the values come from that nobody gave.")
    resources: str = Field(description="The resource class by which it is queued and limited.")
    timeout_s: float | None
    cell_timeout_s: float | None
    sweep: str | None = Field(description="Id of the sweep that it is one of.")
    schedule: str | None = Field(description="Id of the schedule that made it.")
    ci: CiBody | None = Field(description="What CI said of itself, where it was CI that asked.")
    attempts: list[AttemptBody] = Field(description="Failures that were tried again, oldest first.")
    peak_memory_mb: int | None = Field(description="The most memory that it used at once.")
    memory_limit_mb: int | None = Field(description="How much it might use.")


class RunList(BaseModel):
    """A part of the runs that a filter finds, newest first."""

    items: list[RunBody]
    offset: int
    limit: int
    has_more: bool


class EventBody(FromDomain):
    """Something that happened in a run; what its kind has no use for is null or empty."""

    number: int = Field(description="Its place in the run's log.")
    kind: str
    at: datetime
    text: str
    cell: int | None
    position: int | None = Field(description="The cell's place among the code cells, from 1.")
    total: int | None = Field(description="How many code cells there are.")
    heading: str
    status: str | None
    stream: str | None


class EventList(FromDomain):
    """What happened in a run after a place in its log, and how the run stands."""

    events: list[EventBody]
    next: int = Field(description="The place to go on from.")
    status: RunStatus
    reason: str
    attempt: int = Field(description="Which attempt this is; each has a log that begins at 0.")
    total: int | None = Field(description="How many code cells there are, once it has begun.")
    cancelled_by: str = Field(description="Who asked for its end; empty where nobody has.")
    page: str | None = Field(None, description="Path of its page, once there is one.")


class HeadingBody(FromDomain):
    """An entry of a page's outline."""

    level: int
    text: str
    anchor: str


class BaselineBody(FromDomain):
    """The run that the metrics are compared with."""

    run_id: str
    version: int
    has_same_parameters: bool


class PageBody(BaseModel):
    """A page: what it says, and the record of its run."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    title: str
    conclusion: str
    url: str
    metrics: list[MetricBody]
    baseline: BaselineBody | None
    outline: list[HeadingBody]
    downloads: dict[str, str] = Field(description="Path of each content of the version or run.")
    siblings: list[PageItem]
    run: RunBody


class Health(BaseModel):
    """That the gallery answers."""

    status: Literal["ok"] = "ok"
    version: str


def page_item(gallery: Gallery, card: PageCard) -> PageItem:
    """Return a page as lists have it."""
    item = PageItem.model_validate(card)
    item.url = gallery.path("pages", card.run_id)
    if card.poster is not None:
        item.poster_url = gallery.path("pages", card.run_id, "blobs", card.poster)
    return item


def page_body(gallery: Gallery, page: PageView, downloads: dict[str, str]) -> PageBody:
    """Return a page with its run."""
    return PageBody(
        title=page.document.title,
        conclusion=page.document.conclusion,
        url=gallery.path("pages", page.record.id),
        metrics=[metric_body(metric) for metric in page.metrics],
        baseline=BaselineBody.model_validate(page.baseline) if page.baseline else None,
        outline=[HeadingBody.model_validate(heading) for heading in page.document.outline],
        downloads=downloads,
        siblings=[page_item(gallery, card) for card in page.siblings],
        run=run_body(page.record),
    )


def run_body(record: RunRecord) -> RunBody:
    """Return a run's record."""
    return RunBody.model_validate(record)


def event_list(gallery: Gallery, run_id: str, progress: Progress) -> EventList:
    """Return what happened in a run."""
    found = EventList.model_validate(progress)
    if progress.has_page:
        found.page = gallery.path("pages", run_id)
    return found


def run_list(found: Sequence[RunRecord], *, offset: int, limit: int) -> RunList:
    """Return a part of some runs; one more than ``limit`` says that there are more."""
    return RunList(
        items=[run_body(record) for record in found[:limit]],
        offset=offset,
        limit=limit,
        has_more=len(found) > limit,
    )


def metric_body(metric: MetricChange) -> MetricBody:
    """Return a metric."""
    return MetricBody.model_validate(metric)
