"""A run in a workspace on another machine: asked for there, and followed from here.

The workspace executes and records it; here it only shows. So whatever breaks in between, the run
goes on, and following it begins again where it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from nb2prod.errors import ServiceUnreachable
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    KernelStarted,
    Noted,
    OutputAdded,
    RunEnded,
    RunStarted,
)
from nb2prod.execution.models import CellStatus, CiContext, Profile, RunRecord, RunStatus
from nb2prod.execution.record_json import record_from_json
from nb2prod.execution.recorder import Listener
from nb2prod.registry.models import Reference
from nb2prod.remote.client import ServiceClient

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 1.0
# A service is started anew within seconds, and a machine within minutes.
PATIENCE_S = 600.0
LONGEST_PAUSE_S = 15.0
PAGE_PATIENCE_S = 60.0

Pause = Callable[[float], None]


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
        "ci": None if request.ci is None else _plain(request.ci),
    }
    try:
        return record_of(client.post(body, "projects", project, "runs"))
    except ServiceUnreachable as error:
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
    watch = _Watch(client, run, listener, patience_s=patience_s, pause=pause)
    watch.follow()
    return record_of(watch.get())


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
    from nb2prod.errors import PageNotFound

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


class _Watch:
    """Looks at a run's events again and again."""

    def __init__(
        self,
        client: ServiceClient,
        run: RunRecord,
        listener: Listener,
        *,
        patience_s: float,
        pause: Pause,
    ) -> None:
        self._client = client
        self._run = run
        self._listener = listener
        self._patience_s = patience_s
        self._pause = pause
        self._after = 0
        self._attempt: int | None = None

    def get(self, *steps: str, **query: object) -> Any:
        """Ask something of the run, with patience."""
        waited, pause_s = 0.0, LOOK_INTERVAL_S
        while True:
            try:
                found = self._client.get(
                    "projects", self._run.project, "runs", self._run.id, *steps, **query
                )
            except ServiceUnreachable as error:
                if waited >= self._patience_s:
                    raise ServiceUnreachable(
                        f"{error.message} The run {self._run.id} goes on there without being"
                        " followed."
                    ) from error
                if waited == 0:
                    self._note(f"{error.message} The run goes on there; trying again.")
                log.debug("the service is away waited=%s", waited, exc_info=True)
                self._pause(pause_s)
                waited += pause_s
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                if waited:
                    self._note("The workspace answers again.")
                return found

    def follow(self) -> None:
        """Tell of everything until the run has ended."""
        is_queued = False
        while True:
            portion = self.get("events", after=self._after)
            if self._attempt not in (None, portion["attempt"]):
                self._note(f"Trying again: attempt {portion['attempt']}.")
                # Each attempt has a log of its own, and this portion may be of its middle.
                self._attempt, self._after = portion["attempt"], 0
                continue
            self._attempt, self._after = portion["attempt"], portion["next"]
            for event in portion["events"]:
                for told in _told(event, self._run):
                    self._listener(told)
            status = RunStatus(portion["status"])
            if status is RunStatus.QUEUED and not is_queued:
                is_queued = True
                self._note("Queued.")
            if portion["events"]:
                continue
            if status.is_final:
                return
            self._pause(LOOK_INTERVAL_S)

    def _note(self, text: str) -> None:
        self._listener(Noted(at=datetime.now(UTC), text=text))


def _told(event: Mapping[str, Any], run: RunRecord) -> Iterator[Event]:
    at = datetime.fromisoformat(event["at"])
    match event["kind"]:
        case "run_started":
            yield RunStarted(
                at=at, run_id=run.id, reference=run.reference, code_cells=event["total"] or 0
            )
        case "kernel_started":
            yield KernelStarted(at=at, kernel_name=run.kernel_name, pid=None)
        case "cell_started":
            yield CellStarted(
                at=at,
                number=event["cell"],
                position=event["position"] or 0,
                heading=event["heading"],
            )
        case "output":
            yield OutputAdded(at=at, number=event["cell"] or 0, output=_output(event))
        case "cell_ended":
            status = CellStatus(event["status"])
            yield CellEnded(at=at, number=event["cell"], status=status, error=event["text"] or None)
        case "noted":
            yield Noted(at=at, text=event["text"])
        case "run_ended":
            yield RunEnded(at=at, status=RunStatus(event["status"]), reason=event["text"])
        # A newer service may tell of more.
        case _:
            pass


def _output(event: Mapping[str, Any]) -> dict[str, Any]:
    if event["stream"] is not None:
        return {"output_type": "stream", "name": event["stream"], "text": event["text"]}
    data = {"text/plain": event["text"]}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _plain(context: CiContext) -> dict[str, str]:
    return {"commit": context.commit, "branch": context.branch, "url": context.url}
