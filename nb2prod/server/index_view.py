"""The index as the reader sees it: cards, filters with counts, order, pages of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.knowledge.models import Listing, PageCard, PageOrder, PageQuery
from nb2prod.server.presentation import LOOKS

PAGE_SIZE = 24
MAX_PAGE_NUMBER = 10_000
MAX_TEXT_LENGTH = 300
MAX_NAME_LENGTH = 100

FACETS = {"status": "Status", "project": "Project", "pipeline": "Pipeline"}
# A rail that is longer than the page helps nobody; the rest is found by searching.
FACET_VALUES_SHOWN = 12

ORDER_WORDS = {
    PageOrder.RELEVANCE: "Best match",
    PageOrder.NEWEST: "Newest first",
    PageOrder.OLDEST: "Oldest first",
    PageOrder.TITLE: "Title",
    PageOrder.METRIC: "Main metric",
}


class Layout(StrEnum):
    """How the index shows its pages."""

    CARDS = "cards"
    TABLE = "table"


class IndexRequest(BaseModel):
    """The index's query: what an address says of filter, order and place."""

    model_config = ConfigDict(frozen=True)

    q: Annotated[str, Field(max_length=MAX_TEXT_LENGTH)] = ""
    project: Annotated[str | None, Field(max_length=MAX_NAME_LENGTH)] = None
    pipeline: Annotated[str | None, Field(max_length=MAX_NAME_LENGTH)] = None
    status: RunStatus | None = None
    order: PageOrder | None = None
    view: Layout = Layout.CARDS
    page: Annotated[int, Field(ge=1, le=MAX_PAGE_NUMBER)] = 1

    @field_validator("*", mode="before")
    @classmethod
    def _leave_out_empty(cls, value: Any, info: Any) -> Any:
        # A form sends every field, also the ones that nobody filled in.
        return cls.model_fields[info.field_name].default if value == "" else value

    def query(self) -> PageQuery:
        """Return what to ask the knowledge room for."""
        return PageQuery(
            text=self.q.strip(),
            project=self.project,
            pipeline=self.pipeline,
            status=self.status,
            order=self.effective_order,
            offset=(self.page - 1) * PAGE_SIZE,
            limit=PAGE_SIZE,
        )

    @property
    def effective_order(self) -> PageOrder:
        """The order that is used: best match where there is a text, else the newest first."""
        has_text = bool(self.q.strip())
        if self.order is None or (self.order is PageOrder.RELEVANCE and not has_text):
            return PageOrder.RELEVANCE if has_text else PageOrder.NEWEST
        return self.order

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.q.strip() or self.project or self.pipeline or self.status)

    def link(self, **changes: object) -> str:
        """Return the query string of this request with changes; another filter starts anew.

        >>> IndexRequest(q="lasso", page=3).link(status="failed")
        '?q=lasso&status=failed'
        """
        merged = {**self.model_dump(exclude={"page"}, exclude_defaults=True), **changes}
        kept = {name: str(value) for name, value in merged.items() if value not in (None, "", 1)}
        return "?" + urlencode(kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A value of a facet, with the address that chooses it or lets it go."""

    label: str
    value: str
    count: int
    link: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """A group of choices; ``hidden`` more are not shown."""

    name: str
    title: str
    choices: tuple[Choice, ...]
    hidden: int


@dataclass(frozen=True, kw_only=True)
class IndexView:
    """What the index's template shows."""

    asked: IndexRequest
    cards: tuple[PageCard, ...]
    total: int
    facets: tuple[Facet, ...]
    active: tuple[RunRecord, ...]
    first: int
    last: int
    previous_link: str | None
    next_link: str | None
    page_count: int

    @property
    def statuses(self) -> tuple[Choice, ...]:
        """The choices of status, for the sentence above the cards."""
        return next((facet.choices for facet in self.facets if facet.name == "status"), ())

    @property
    def order_words(self) -> dict[PageOrder, str]:
        """The orders to choose from; best match only where there is a text."""
        has_text = bool(self.asked.q.strip())
        return {
            order: word
            for order, word in ORDER_WORDS.items()
            if has_text or order is not PageOrder.RELEVANCE
        }


def compose(
    listing: Listing[PageCard], asked: IndexRequest, active: Sequence[RunRecord]
) -> IndexView:
    """Make the index's view of a listing."""
    last = listing.offset + len(listing.items)
    has_next = last < listing.total and asked.page < MAX_PAGE_NUMBER
    return IndexView(
        asked=asked,
        cards=listing.items,
        total=listing.total,
        facets=tuple(
            _facet(name, title, listing, asked)
            for name, title in FACETS.items()
            if listing.facets.get(name)
        ),
        active=tuple(active),
        first=listing.offset + 1 if listing.items else 0,
        last=last,
        previous_link=asked.link(page=asked.page - 1) if asked.page > 1 else None,
        next_link=asked.link(page=asked.page + 1) if has_next else None,
        page_count=-(-listing.total // PAGE_SIZE),
    )


def _facet(name: str, title: str, listing: Listing[PageCard], asked: IndexRequest) -> Facet:
    chosen = getattr(asked, name)
    choices = [
        Choice(
            label=LOOKS[item.value].word if name == "status" else item.value,
            value=item.value,
            count=item.count,
            link=asked.link(**{name: None if item.value == chosen else item.value}),
            is_chosen=item.value == chosen,
        )
        for item in listing.facets[name]
    ]
    # What is chosen stays in sight, wherever its count would put it.
    choices.sort(key=lambda choice: not choice.is_chosen)
    return Facet(
        name=name,
        title=title,
        choices=tuple(choices[:FACET_VALUES_SHOWN]),
        hidden=max(len(choices) - FACET_VALUES_SHOWN, 0),
    )
