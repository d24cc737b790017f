"""A page: the document rendered once, and what lists and readers get of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from nb2prod.execution.models import CellStatus, Profile, RunRecord, RunStatus

Item = TypeVar("Item")

MAX_PAGE_SIZE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedOutput:
    """One output of a cell, safe to be put into our page.

    Parameters
    ----------
    kind
        ``html``: ``html`` is clean markup (see `RenderedCell` for the pictures in it).
        ``image``: the blob ``sha256``, drawn at ``width`` × ``height`` pixels where the notebook
        says so; ``label`` is its alternative text, if any. ``card``: something that we don't
        show inline; ``label`` says what it is, the blob ``sha256`` is its content.
    """

    kind: Literal["html", "image", "card"]
    html: str = ""
    sha256: str | None = None
    media_type: str = ""
    label: str = ""
    width: int | None = None
    height: int | None = None
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedCell:
    """One cell of the executed notebook, safe to be put into our page.

    ``html`` is the markdown's or the raw text's, or the highlighted code's, clean markup. A
    picture in it has the address ``<run id>/blobs/<sha256>``, relative to the page's own, which
    ends with ``/<run id>``; formulas are ``<span class="math" data-display="0|1">``, as text.
    """

    number: int
    kind: Literal["code", "markdown", "raw"]
    html: str
    status: CellStatus | None = None
    duration_s: float | None = None
    peak_memory_mb: int | None = None
    error: str | None = None
    tags: tuple[str, ...] = ()
    outputs: tuple[RenderedOutput, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """An entry of a page's outline; ``anchor`` is the id of the element in the markup."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PageBlob:
    """A content that belongs to a page and may be fetched by who may read it."""

    sha256: str
    media_type: str
    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class PageDocument:
    """A rendered page; made once when the run has ended, never on request."""

    run_id: str
    title: str
    conclusion_html: str
    conclusion: str
    cells: tuple[RenderedCell, ...]
    outline: tuple[Heading, ...]
    poster: str | None
    main_metric: str | None
    lower_is_better: bool | None
    blobs: tuple[PageBlob, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricChange:
    """A metric and how it stands against another run.

    ``before`` is `None` where the other run has no such metric, or there is no other run.
    ``lower_is_better`` is `None` where nobody said: then a change is neither good nor bad.
    """

    name: str
    value: float
    before: float | None = None
    lower_is_better: bool | None = None

    @property
    def change(self) -> float | None:
        """Difference to the other run."""
        return None if self.before is None else self.value - self.before

    @property
    def is_better(self) -> bool | None:
        """Whether the change is to the good; `None` where there is none, or it is unknown."""
        if not self.change or self.lower_is_better is None:
            return None
        return (self.change < 0) == self.lower_is_better


@dataclass(frozen=True, kw_only=True, slots=True)
class PageCard:
    """What the gallery shows of a page.

    ``snippet_html`` is clean markup: the place that a search found, with ``<mark>``.
    """

    run_id: str
    project: str
    pipeline: str
    version: int
    title: str
    conclusion: str
    status: RunStatus
    main_metric: MetricChange | None
    author: str
    created_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    poster: str | None
    snippet_html: str | None = None
    profile: Profile = Profile.FULL


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The run that a page's metrics are compared with.

    ``has_same_parameters`` is False where no earlier version ran with the same ones.
    """

    run_id: str
    version: int
    has_same_parameters: bool


@dataclass(frozen=True, kw_only=True)
class PageView:
    """A page as a reader gets it: the document, its record, and how it stands to others.

    ``siblings`` are other pages of the same pipeline, newest first.
    """

    document: PageDocument
    record: RunRecord
    baseline: Baseline | None
    metrics: tuple[MetricChange, ...]
    siblings: tuple[PageCard, ...]


class PageOrder(StrEnum):
    """Order of a list of pages; ``RELEVANCE`` needs a text to search."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    METRIC = "metric"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageQuery:
    """What pages to list. ``text`` is searched in title, markdown, code and text outputs."""

    text: str = ""
    project: str | None = None
    pipeline: str | None = None
    status: RunStatus | None = None
    order: PageOrder | None = None
    offset: int = 0
    limit: int = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetValue:
    """A value by which a list can be narrowed, with the pages that it would leave."""

    value: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Item]):
    """A part of a list; ``total`` counts what the same filter finds altogether."""

    items: tuple[Item, ...]
    total: int
    offset: int
    facets: dict[str, tuple[FacetValue, ...]] = field(default_factory=dict)
