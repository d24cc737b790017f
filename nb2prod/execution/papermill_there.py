"""papermill and a workspace on another machine: it gives the version, and it runs it.

NB2PROD_SERVER names the workspace, NB2PROD_TOKEN is a token of the project. The run, its record
and its page are there; here is papermill with its options, and the executed notebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from nb2prod.errors import Conflict, InvalidInput
from nb2prod.execution.models import CiContext, RunRecord
from nb2prod.execution.recorder import Listener
from nb2prod.execution.runner import Limits
from nb2prod.registry.models import Reference
from nb2prod.remote.client import ServiceClient, service_address
from nb2prod.settings import RemoteSettings

METADATA_KEY = "nb2prod"
LIST_SIZE = 100


@dataclass(frozen=True, kw_only=True)
class RemoteOrigin:
    """Which version a notebook is: ``metadata.nb2prod`` of what `read_there` gives.

    Parameters
    ----------
    server
        Address of the workspace's service. A notebook may name any: only one that is
        NB2PROD_SERVER is asked.
    """

    server: str
    project: str
    reference: Reference

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> RemoteOrigin | None:
        """Read it from a notebook's metadata; `None` where it says nothing of the kind."""
        said = metadata.get(METADATA_KEY)
        names = {"server", "project", "pipeline", "version"}
        if not isinstance(said, Mapping) or not names <= set(said):
            return None
        try:
            reference = Reference(str(said["pipeline"]), int(said["version"]))
        except (TypeError, ValueError):
            return None
        return cls(server=str(said["server"]), project=str(said["project"]), reference=reference)


def read_there(settings: RemoteSettings, project: str, reference: Reference) -> dict[str, Any]:
    """Return a version as a notebook, with its origin in the metadata.

    Raises
    ------
    ProjectNotFound, PipelineNotFound, VersionNotFound, NotSignedIn, ServiceUnreachable
        The workspace refuses it, or does not answer.
    """
    with ServiceClient.from_settings(settings) as client:
        number = reference.number or _newest(client, project, reference.pipeline)
        node = _notebook(client, project, Reference(reference.pipeline, number))
        node["metadata"][METADATA_KEY] = {
            **node["metadata"].get(METADATA_KEY, {}),
            "server": client.address,
            "project": project,
            "pipeline": reference.pipeline,
            "version": number,
        }
    return node


def list_there(settings: RemoteSettings, project: str) -> list[Reference]:
    """Return all versions of a project; raises as `read_there` does."""
    found: list[Reference] = []
    with ServiceClient.from_settings(settings) as client:
        while True:
            answer = client.get("projects", project, "versions", offset=len(found), limit=LIST_SIZE)
            found += [Reference(item["pipeline"], item["number"]) for item in answer["items"]]
            if not answer["items"] or len(found) >= answer["total"]:
                return found


@contextmanager
def client_of(origin: RemoteOrigin) -> Iterator[ServiceClient]:
    """Give a client for the workspace that a notebook is from.

    Raises
    ------
    InvalidInput
        It is not NB2PROD_SERVER's: the token goes there and nowhere else.
    """
    settings = RemoteSettings.from_environment()
    if not settings.server or service_address(settings.server) != origin.server:
        raise InvalidInput(
            f"This notebook is a version of the workspace at {origin.server[:200]}, and"
            f" NB2PROD_SERVER is {settings.server or 'not set'}. Set it to that address, if you"
            " trust it with your token."
        )
    with ServiceClient.from_settings(settings) as client:
        yield client


def sources_there(client: ServiceClient, origin: RemoteOrigin) -> list[str]:
    """Return the sources of a version's cells."""
    node = _notebook(client, origin.project, origin.reference)
    return ["".join(cell["source"]) for cell in node["cells"]]


def run_there(
    client: ServiceClient,
    origin: RemoteOrigin,
    values: Mapping[str, object],
    *,
    limits: Limits,
    listener: Listener,
) -> tuple[RunRecord, bytes | None]:
    """Run a version in its workspace; return the record and the executed notebook.

    Ctrl-C cancels the run there, as it ends papermill's own.

    Returns
    -------
    RunRecord
        Of the run, which has ended.
    bytes or None
        `None` where it ended before there was a notebook.

    Raises
    ------
    Nb2prodError
        The workspace refuses it, or does not answer; see `nb2prod.execution.remote_run`.
    """
    from nb2prod.execution import remote_run
    from nb2prod.execution.remote_watch import RunWatch

    request = remote_run.RemoteRequest(
        reference=origin.reference,
        # What is no finite number has no JSON; the service reads texts by the parameter's type.
        values=json.loads(json.dumps(dict(values)), parse_constant=str),
        cell_timeout_s=limits.cell_timeout_s,
        timeout_s=limits.timeout_s,
        ci=CiContext.of(RemoteSettings.from_environment()),
    )
    queued = remote_run.ask_for_run(client, origin.project, request)
    watch = RunWatch(client, queued, listener)
    try:
        answer = watch.follow()
    except KeyboardInterrupt:
        # It may have ended at that very moment.
        with suppress(Conflict):
            remote_run.cancel_remote_run(client, queued.project, queued.id)
        answer = watch.follow()
    record = remote_run.record_of(answer)
    has_notebook = "executed" in record.sources
    return record, remote_run.executed_notebook(client, record) if has_notebook else None


def _newest(client: ServiceClient, project: str, pipeline: str) -> int:
    found = client.get("projects", project, "versions", pipeline=pipeline, limit=1)
    return int(found["items"][0]["number"])


def _notebook(client: ServiceClient, project: str, reference: Reference) -> dict[str, Any]:
    node: dict[str, Any] = client.get(
        "projects", project, "versions", reference.pipeline, str(reference.number), "notebook"
    )
    return node
