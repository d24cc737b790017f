"""A run in a workspace on another machine: asked for there, and followed from here.

The workspace executes and records it; here it only shows. So whatever breaks in between, the run
goes on, and following it begins again where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nb2prod.errors import PageNotFound
from nb2prod.execution.models import CiContext, Profile, RunRecord
from nb2prod.execution.record_json import record_from_json
from nb2prod.execution.remote_watch import LOOK_INTERVAL_S, Pause
from nb2prod.registry.models import Reference
from nb2prod.remote.client import ServiceClient, unknown_answer

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
    doubt = (
        "The run may have been asked for all the same: look into the gallery before you ask again."
    )
    return record_of(client.ask(body, "projects", project, "runs", doubt=doubt))


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
        raise unknown_answer("describes its run") from error
