"""Sweeps as their pages show them: a project's list, and one with its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nb2prod.errors import Nb2prodError
from nb2prod.execution.models import RunStatus
from nb2prod.jobs.sweep_table import METRIC, PARAMETER
from nb2prod.jobs.sweeps import Sweep, SweepTable, TableQuery, list_sweeps, read_table
from nb2prod.server.gallery import Reader
from nb2prod.server.presentation import Look, look_of, value
from nb2prod.workspace.projects import Project, Role, get_project, role_of
from nb2prod.workspace.workspace import Workspace

SWEEPS_SHOWN = 24
ROWS_SHOWN = 100
MAX_PAGE_NUMBER = 10_000
# What is left out stands in the CSV; a table that nobody can overlook helps nobody.
PARAMETERS_SHOWN = 6
METRICS_SHOWN = 6
# Of what somebody wrote for a parameter; a list of a hundred markets stays one line or two.
ASKED_LENGTH = 160
BAR_WIDTH = 1000


class SweepRequest(BaseModel):
    """What the address of a sweep's page says of order, filter and place."""

    model_config = ConfigDict(frozen=True)

    sort: Annotated[str, Field(max_length=300)] = "position"
    order: Literal["asc", "desc"] = "asc"
    status: RunStatus | Literal["not_run"] | None = None
    page: Annotated[int, Field(ge=1, le=MAX_PAGE_NUMBER)] = 1

    @field_validator("*", mode="before")
    @classmethod
    def _leave_out_empty(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value == "" else value

    def query(self) -> TableQuery:
        """Return what to ask of the table."""
        return TableQuery(
            sort=self.sort,
            is_descending=self.order == "desc",
            status=None if self.status is None else str(self.status),
            offset=(self.page - 1) * ROWS_SHOWN,
            limit=ROWS_SHOWN,
        )

    def link(self, **changes: object) -> str:
        """Return the query string of this request with changes; another order begins anew.

        >>> SweepRequest(sort="duration", page=3).link(status="failed")
        '?sort=duration&status=failed'
        """
        merged = {**self.model_dump(exclude={"page"}, exclude_defaults=True), **changes}
        kept = {name: str(value) for name, value in merged.items() if value not in (None, "", 1)}
        return "?" + urlencode(kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A heading by which the table is sorted.

    Parameters
    ----------
    order
        How the table is sorted by it now; `None` where it is not.
    link
        Sorts by it, or the other way round.
    """

    name: str
    key: str
    order: Literal["asc", "desc"] | None
    link: str

    @property
    def aria_sort(self) -> str:
        """The order, as ARIA names it."""
        return {"asc": "ascending", "desc": "descending", None: "none"}[self.order]


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of a sweep has a status; ``x`` and ``width`` are parts of `BAR_WIDTH`."""

    status: str
    look: Look
    count: int
    x: float
    width: float
    link: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedValues:
    """What was written for a parameter; its end may be left out."""

    name: str
    text: str
    is_varied: bool


@dataclass(frozen=True, kw_only=True)
class SweepView:
    """What the page of a sweep shows.

    Parameters
    ----------
    may_run
        Whether the reader may cancel and resume it.
    has_dispatcher
        False where nothing would bring its runs to an end.
    hidden_metrics, hidden_parameters
        How many have no column.
    """

    project: Project
    table: SweepTable
    asked: SweepRequest
    values: tuple[AskedValues, ...]
    shares: tuple[Share, ...]
    plain: Mapping[str, Column]
    parameters: tuple[Column, ...]
    metrics: tuple[Column, ...]
    hidden_parameters: int
    hidden_metrics: int
    may_run: bool
    has_dispatcher: bool
    error: Nb2prodError | None
    first: int
    last: int
    previous_link: str | None
    next_link: str | None

    @property
    def sweep(self) -> Sweep:
        """The sweep."""
        return self.table.sweep


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepLine:
    """A sweep in a project's list."""

    sweep: Sweep
    shares: tuple[Share, ...]


@dataclass(frozen=True, kw_only=True)
class SweepsView:
    """What the list of a project's sweeps shows."""

    project: Project
    lines: tuple[SweepLine, ...]
    total: int
    first: int
    last: int
    previous_link: str | None
    next_link: str | None


def compose_sweeps(workspace: Workspace, reader: Reader, name: str, *, page: int) -> SweepsView:
    """Make the view of a project's sweeps; raises `ProjectNotFound`."""
    project = get_project(workspace, name, person=reader.person)
    offset = (page - 1) * SWEEPS_SHOWN
    found, total = list_sweeps(
        workspace, project.name, person=reader.person, limit=SWEEPS_SHOWN, offset=offset
    )
    last = offset + len(found)
    return SweepsView(
        project=project,
        lines=tuple(SweepLine(sweep=sweep, shares=shares_of(sweep)) for sweep in found),
        total=total,
        first=offset + 1 if found else 0,
        last=last,
        previous_link=f"?page={page - 1}" if page > 1 else None,
        next_link=f"?page={page + 1}" if last < total else None,
    )


def compose_sweep(
    workspace: Workspace,
    reader: Reader,
    name: str,
    sweep_id: str,
    asked: SweepRequest,
    *,
    has_dispatcher: bool,
    error: Nb2prodError | None = None,
) -> SweepView:
    """Make the view of a sweep.

    Raises
    ------
    ProjectNotFound, SweepNotFound
        There is none that the reader may see.
    SweepInvalid
        The table has no such column.
    """
    project = get_project(workspace, name, person=reader.person)
    table = read_table(workspace, project.name, sweep_id, asked.query(), person=reader.person)
    role = role_of(workspace, project.name, reader.person)
    sweep = table.sweep
    offset = table.query.offset
    last = offset + len(table.rows)
    varied, metrics = sweep.varied[:PARAMETERS_SHOWN], table.metrics[:METRICS_SHOWN]
    return SweepView(
        project=project,
        table=table,
        asked=asked,
        values=asked_values(sweep),
        shares=shares_of(sweep, asked),
        plain={key: _column(key, key, asked) for key in ("position", "status", "duration")},
        parameters=tuple(_column(item, f"{PARAMETER}{item}", asked) for item in varied),
        metrics=tuple(_column(item, f"{METRIC}{item}", asked) for item in metrics),
        hidden_parameters=len(sweep.varied) - len(varied),
        hidden_metrics=len(table.metrics) - len(metrics),
        may_run=role is not None and role.includes(Role.EDITOR),
        has_dispatcher=has_dispatcher,
        error=error,
        first=offset + 1 if table.rows else 0,
        last=last,
        previous_link=asked.link(page=asked.page - 1) if asked.page > 1 else None,
        next_link=asked.link(page=asked.page + 1) if last < table.total else None,
    )


def shares_of(sweep: Sweep, asked: SweepRequest | None = None) -> tuple[Share, ...]:
    """Return how a sweep's runs stand, what is done first, with the links that filter by it."""
    asked = asked or SweepRequest()
    shares, x = list[Share](), 0.0
    for status in _BAR_ORDER:
        count = sweep.counts.get(status, 0)
        if not count:
            continue
        width = count / sweep.count * BAR_WIDTH
        is_chosen = asked.status == status
        link = asked.link(status=None if is_chosen else status)
        shares.append(
            Share(
                status=status,
                look=look_of(status),
                count=count,
                x=round(x, 2),
                width=round(width, 2),
                link=link,
                is_chosen=is_chosen,
            )
        )
        x += width
    return tuple(shares)


def asked_values(sweep: Sweep) -> tuple[AskedValues, ...]:
    """Return what was written for each parameter of a sweep, as one would write it."""
    return tuple(
        AskedValues(
            name=name,
            text="from a CSV" if name in sweep.csv_columns else _written(sweep.asked[name]),
            is_varied=name in sweep.varied,
        )
        for name in sweep.names
    )


def _written(asked: object) -> str:
    items = asked if isinstance(asked, list) else [asked]
    text = ", ".join(map(value, items))
    return text if len(text) <= ASKED_LENGTH else f"{text[:ASKED_LENGTH]}…"


def _column(name: str, key: str, asked: SweepRequest) -> Column:
    order = asked.order if asked.sort == key else None
    following = "desc" if order == "asc" else None
    return Column(
        name=name,
        key=key,
        order=order,
        link=asked.link(sort=None if key == "position" else key, order=following),
    )


_DONE = ("succeeded", "failed", "timed_out", "kernel_died", "lost", "cancelled")
_BAR_ORDER = (*_DONE, "running", "queued", "not_run")
