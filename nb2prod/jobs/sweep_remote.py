"""A sweep in a workspace on another machine: asked for there, and followed from here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from nb2prod.errors import Unavailable
from nb2prod.execution.models import CiContext, Profile
from nb2prod.execution.remote_watch import PATIENCE_S, Pause
from nb2prod.jobs.sweep_models import Sweep, SweepRow, SweepTable, TableQuery
from nb2prod.jobs.sweeps import SweepAsked
from nb2prod.registry.models import Reference
from nb2prod.remote.client import ServiceClient, unknown_answer

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 2.0
# As many rows as the service gives at once.
ROWS = 100


def ask_for_sweep(
    client: ServiceClient,
    project: str,
    reference: Reference,
    asked: SweepAsked,
    *,
    profile: Profile = Profile.FULL,
    ci: CiContext | None = None,
) -> Sweep:
    """Ask for a sweep in the workspace; returns at once, and its runs are queued.

    Parameters
    ----------
    ci
        `None` where it is not CI that asks.

    Raises
    ------
    ProjectNotFound, PipelineNotFound, VersionNotFound, ParameterUnknown, ParameterInvalid,
    SweepInvalid
        The workspace refuses it; nothing is made then.
    ServiceUnreachable
        It does not answer; whether there is a sweep then is not known.
    """
    body: dict[str, Any] = {
        "pipeline": reference.pipeline,
        "version": reference.number,
        "axes": dict(asked.axes),
        "csv": asked.csv_text,
        "profile": profile.value,
        "ci": None if ci is None else ci.said(),
    }
    doubt = (
        "The sweep may have been made all the same: look into the project's sweeps before you ask"
        " again."
    )
    return _sweep(client.ask(body, "projects", project, "sweeps", doubt=doubt))


def resume_remote_sweep(client: ServiceClient, project: str, sweep_id: str) -> Sweep:
    """Ask anew for what is missing in a sweep in the workspace; returns at once.

    Raises
    ------
    SweepNotFound, Conflict, RoleInsufficient, ServiceUnreachable
        The workspace refuses it, nothing is missing, or it does not answer.
    """
    return _sweep(client.post({}, "projects", project, "sweeps", sweep_id, "resume"))


def cancel_remote_sweep(client: ServiceClient, sweep: Sweep) -> Sweep:
    """Ask all runs of a sweep in the workspace to end; returns at once.

    Raises
    ------
    SweepNotFound, Conflict, RoleInsufficient, ServiceUnreachable
        The workspace refuses it, nothing of it waits or goes on, or it does not answer.
    """
    return _sweep(client.post({}, "projects", sweep.project, "sweeps", sweep.id, "cancel"))


def follow_sweep(
    client: ServiceClient,
    sweep: Sweep,
    on_change: Callable[[Sweep], None],
    *,
    patience_s: float = PATIENCE_S,
    pause: Pause = time.sleep,
) -> Sweep:
    """Tell how a sweep stands, whenever that changes, until nothing of it waits or goes on.

    Parameters
    ----------
    patience_s
        How long the service may be away before following ends.
    pause
        Waits for so many seconds.

    Raises
    ------
    ServiceUnreachable
        The service was away for too long; the sweep goes on without being followed.
    SweepNotFound, NotSignedIn
        The sweep, or the right to see it, is gone.
    """
    on_change(sweep)
    away_s = 0.0
    while sweep.is_open:
        pause(LOOK_INTERVAL_S)
        try:
            found = _sweep(client.get("projects", sweep.project, "sweeps", sweep.id, limit=1))
        except Unavailable:
            away_s += LOOK_INTERVAL_S
            if away_s > patience_s:
                raise
            log.debug("The service is away", exc_info=True)
            continue
        away_s = 0.0
        if found.counts != sweep.counts:
            on_change(found)
        sweep = found
    return sweep


def remote_table(client: ServiceClient, sweep: Sweep, *, limit: int) -> SweepTable:
    """Return the first rows of a sweep's table, by position; raises as `ServiceClient.get`."""
    rows, body = list[SweepRow](), dict[str, Any]()
    steps = ("projects", sweep.project, "sweeps", sweep.id)
    while len(rows) < limit:
        size = min(ROWS, limit - len(rows))
        body = client.get(*steps, offset=len(rows), limit=size)
        rows += [_row(item) for item in body["rows"]]
        if len(rows) >= body["total"]:
            break
    return SweepTable(
        sweep=_sweep(body),
        query=TableQuery(limit=limit),
        metrics=tuple(body["metrics"]),
        main_metric=body["main_metric"],
        lower_is_better=body["lower_is_better"],
        rows=tuple(rows),
        total=body["total"],
    )


def remote_csv(client: ServiceClient, sweep: Sweep) -> str:
    """Return the whole table as CSV; raises as `ServiceClient.get`."""
    return client.fetch("projects", sweep.project, "sweeps", sweep.id, "csv").decode()


def _sweep(body: Mapping[str, Any]) -> Sweep:
    known = {item.name for item in fields(Sweep)}
    try:
        return Sweep(
            **{
                **{name: value for name, value in body.items() if name in known},
                "profile": Profile(body["profile"]),
                "csv_columns": tuple(body["csv_columns"]),
                # Of the others one is told what was written only.
                "names": (*body["csv_columns"], *body["asked"]),
                "varied": tuple(body["varied"]),
                "created_at": _time(body["created_at"]),
                "cancelled_at": _time(body["cancelled_at"]),
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unknown_answer("describes its sweep") from error


def _row(body: Mapping[str, Any]) -> SweepRow:
    known = {item.name for item in fields(SweepRow)}
    # What is no finite number has no JSON.
    metrics = {
        name: float("nan") if value is None else value for name, value in body["metrics"].items()
    }
    try:
        return SweepRow(
            **{
                **{name: value for name, value in body.items() if name in known},
                "metrics": metrics,
                "started_at": _time(body["started_at"]),
                "ended_at": _time(body["ended_at"]),
                "has_page": body["page"] is not None,
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unknown_answer("describes its sweep") from error


def _time(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text)
