"""A run in a workspace on another machine: asked for there, and followed from here.

The workspace executes and records it; here it only shows. So whatever breaks in between, the run
goes on, and following it begins again where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nb2prod.errors import PageNotFound, ServiceUnreachable
from nb2prod.execution.models import CiContext, Profile, RunRecord
from nb2prod.execution.record_json import record_from_json
from nb2prod.execution.recorder import Listener
from nb2prod.execution.remote_watch import LOOK_INTERVAL_S, PATIENCE_S, Pause, RunWatch
from nb2prod.registry.models import Reference
from nb2prod.remote.client import ServiceClient

PAGE_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RemoteRequest:
    """A run to be asked for.

    Parameters
    ----------
    values
        Parameters by name; the service reads text by the parameter's type.
    timeout_s, cell_timeout_s
        In place of what the version says; `None` leaves that.
    ci
        `None` where it is not CI that asks.
    """

    reference: Reference
    values: Mapping[str, object] = field(default_factory=dict)
    profile: Profile = Profile.FULL
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    ci: CiContext | None = None


def ask_for_run(client: ServiceClient, project: str, request: RemoteRequest) -> RunRecord:
    """Ask for a run of a version in the workspace; returns at once, and it is queued.

    Raises
    ------
    ProjectNotFound, PipelineNotFound, VersionNotFound, ParameterUnknown, ParameterInvalid
        The workspace refuses it; there is no run then.
    ServiceUnreachable
        It does not answer; whether there is a run then is not known.
    """
    body: dict[str, Any] = {
        "pipeline": request.reference.pipeline,
        "version": request.reference.number,
        "parameters": dict(request.values),
        "profile": request.profile.value,
        "timeout_s": request.timeout_s,
        "cell_timeout_s": request.cell_timeout_s,
        "ci": None if request.ci is None else request.ci.said(),
    }
    try:
        return record_of(client.post(body, "projects", project, "runs"))
    except ServiceUnreachable as error:
        if error.detail.get("is_unsent"):
            raise
        raise ServiceUnreachable(
            f"{error.message} The run may have been asked for all the same: look into the gallery"
            " before you ask again."
        ) from error


def cancel_remote_run(client: ServiceClient, project: str, run_id: str) -> RunRecord:
    """Ask for a run's end; what it has done by then is recorded. Returns at once.

    Raises
    ------
    RunNotFound, RunEnded, RoleInsufficient, ServiceUnreachable
        The workspace refuses it, or does not answer.
    """
    return record_of(client.post({}, "projects", project, "runs", run_id, "cancel"))


def project_of_run(client: ServiceClient, run_id: str) -> str:
    """Return the project that a run is looked for in: that of the token, where it has one."""
    own = client.get("me").get("project")
    return str(own) if own else str(client.get("runs", run_id)["project"])


def follow(
    client: ServiceClient,
    run: RunRecord,
    listener: Listener,
    *,
    patience_s: float = PATIENCE_S,
    pause: Pause = time.sleep,
) -> RunRecord:
    """Tell of what happens in a run, from its beginning to its end, and return its record.

    A service that is away for a while, or is started anew, loses nothing: each look begins where
    the last one ended.

    Parameters
    ----------
    listener
        Called with each event, in their order; what was printed comes in small portions.
    patience_s
        How long the service may be away before following ends.
    pause
        Waits for so many seconds.

    Raises
    ------
    ServiceUnreachable
        The service was away for too long; the run goes on without being followed.
    RunNotFound, NotSignedIn
        The run, or the right to see it, is gone.
    """
    watch = RunWatch(client, run, listener, patience_s=patience_s, pause=pause)
    return record_of(watch.follow())


def page_of(
    client: ServiceClient,
    run: RunRecord,
    *,
    patience_s: float = PAGE_PATIENCE_S,
    pause: Pause = time.sleep,
) -> Mapping[str, Any] | None:
    """Return the page of a run that has ended, once it is published; `None` if it isn't in time.

    Raises
    ------
    ServiceUnreachable
        The service does not answer.
    """
    waited = 0.0
    while True:
        try:
            page: Mapping[str, Any] = client.get("projects", run.project, "runs", run.id, "page")
        except PageNotFound:
            if waited >= patience_s:
                return None
            pause(LOOK_INTERVAL_S)
            waited += LOOK_INTERVAL_S
        else:
            return page


def executed_notebook(client: ServiceClient, run: RunRecord) -> bytes:
    """Return the executed notebook of a run that has ended; raises `BlobNotFound` for none."""
    return client.fetch("projects", run.project, "runs", run.id, "contents", "executed")


def record_of(body: Mapping[str, Any]) -> RunRecord:
    """Read a run's record from what the service says of it.

    Raises
    ------
    ServiceUnreachable
        It is no record: the service is of another version than this program.
    """
    known = {item.name for item in fields(RunRecord)}
    content = {name: value for name, value in body.items() if name in known}
    try:
        # What is no finite number has no JSON.
        metrics = {
            name: float("nan") if value is None else value
            for name, value in content.get("metrics", {}).items()
        }
        return record_from_json({**content, "metrics": metrics})
    except (ValueError, TypeError, AttributeError) as error:
        raise ServiceUnreachable(
            "The workspace describes its run in a way that this nb2prod does not know. Install the"
            " version that the workspace has."
        ) from error
