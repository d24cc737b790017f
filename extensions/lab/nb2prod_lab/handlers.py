"""The API for the browser: what the panel asks, handed on to the workspace service."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tornado.web import HTTPError, authenticated

from nb2prod.errors import InvalidInput
from nb2prod_lab.answers import describe
from nb2prod_lab.saved_notebook import request_with_notebook
from nb2prod_lab.service import NO_WORKSPACE, WorkspaceService

API = "nb2prod/api"
LIST_LIMIT = "10"
# What a pipeline, a version's number and a run's id are made of: no dots, no slashes.
NAME = r"([A-Za-z0-9_-]{1,100})"
NUMBER = r"([1-9][0-9]{0,8})"


class Strict(BaseModel):
    """A body from the browser: what it has too much is refused, by name."""

    model_config = ConfigDict(extra="forbid")


class ProposalRequest(Strict):
    """Check the saved notebook at a path; ``hash`` is the contents API's, of what was saved."""

    path: str = Field(max_length=4096)
    name: str | None = None
    hash: str | None = None


class PromotionRequest(Strict):
    """Promote the saved notebook, if it still is what the proposal with this digest was for."""

    path: str = Field(max_length=4096)
    digest: str
    name: str | None = None


class RunRequest(Strict):
    """Run a version; parameters that are not named have their defaults."""

    pipeline: str
    version: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


_Request = TypeVar("_Request", bound=Strict)


class ServiceHandler(APIHandler):
    """Base of all handlers here: the service, and errors in one shape."""

    auth_resource = "nb2prod"

    def initialize(self, service: WorkspaceService) -> None:
        """Keep the service; tornado calls it."""
        self.service = service

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else HTTPError(status_code)
        status, body = describe(self, error)
        self.set_status(status)
        self.finish(json.dumps(body))

    def log_exception(self, *exc_info: Any) -> None:
        """Leave the log to `describe`: a refusal of the service is no accident here."""

    def read(self, kind: type[_Request]) -> _Request:
        """Read the request's body; raises `InvalidInput` for anything else."""
        try:
            return kind.model_validate_json(self.request.body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"]) or "the body"
            raise InvalidInput(f"The request can't be used: {place}: {first['msg']}.") from error


class ContextHandler(ServiceHandler):
    """Who is here, in which project, with which role."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer with project, role and person, or that there is no workspace."""
        settings = self.service.settings
        if not settings.has_workspace:
            self.finish({"is_available": False, "message": NO_WORKSPACE})
            return
        project, me = await asyncio.gather(self.service.ask(), self.service.me())
        self.finish(
            {
                "is_available": True,
                "project": settings.project,
                "title": project.get("title") or settings.project,
                "role": project.get("role") or "viewer",
                "person": me["person"],
                "public_url": settings.public_url,
            }
        )


class ProposalsHandler(ServiceHandler):
    """Checks of notebooks."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Have the saved notebook checked."""
        wanted = self.read(ProposalRequest)
        body = await request_with_notebook(
            self.contents_manager, wanted.path, expected_hash=wanted.hash, name=wanted.name
        )
        _, proposal = await self.service.tell(body, "proposals")
        self.finish(json.dumps(proposal))


class VersionsHandler(ServiceHandler):
    """Versions of the project's pipelines."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List versions, newest first."""
        pipeline = self.get_query_argument("pipeline")
        query = {"pipeline": pipeline, "limit": self.get_query_argument("limit", "50")}
        self.finish(json.dumps(await self.service.ask("versions", **query)))

    @authenticated
    @authorized
    async def post(self) -> None:
        """Promote the saved notebook."""
        wanted = self.read(PromotionRequest)
        body = await request_with_notebook(
            self.contents_manager, wanted.path, name=wanted.name, digest=wanted.digest
        )
        status, version = await self.service.tell(body, "versions")
        self.set_status(status)
        self.finish(json.dumps(version))


class VersionHandler(ServiceHandler):
    """One version, with its parameters."""

    @authenticated
    @authorized
    async def get(self, pipeline: str, number: str) -> None:
        """Answer with the version."""
        self.finish(json.dumps(await self.service.ask("versions", pipeline, number)))


class RunsHandler(ServiceHandler):
    """Runs of the project's pipelines."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List runs, newest first."""
        query = {
            "pipeline": self.get_query_argument("pipeline"),
            "limit": self.get_query_argument("limit", LIST_LIMIT),
            "offset": self.get_query_argument("offset", "0"),
            # Those of a sweep are one entry of `nb2prod_lab.sweeps`.
            "is_alone": "true",
        }
        self.finish(json.dumps(await self.service.ask("runs", **query)))

    @authenticated
    @authorized
    async def post(self) -> None:
        """Ask for a run."""
        wanted = self.read(RunRequest)
        status, run = await self.service.tell(wanted.model_dump_json().encode(), "runs")
        self.set_status(status)
        self.finish(json.dumps(run))


class RunHandler(ServiceHandler):
    """One run."""

    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Answer with the run's record as it is now."""
        self.finish(json.dumps(await self.service.ask("runs", run_id)))


class RunCancelHandler(ServiceHandler):
    """The end of a run that somebody asks for."""

    @authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """Ask a run to end; answers with the run as it stands."""
        status, run = await self.service.tell(b"{}", "runs", run_id, "cancel")
        self.set_status(status)
        self.finish(json.dumps(run))


class RunEventsHandler(ServiceHandler):
    """What happens in a run."""

    # A panel left open is no sign of life of the person: the server may be culled.
    _track_activity = False

    @authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Answer with the events after the one with a number."""
        after = self.get_query_argument("after", "0")
        self.finish(json.dumps(await self.service.ask("runs", run_id, "events", after=after)))


def routes(service: WorkspaceService) -> list[tuple[str, type[ServiceHandler], dict[str, Any]]]:
    """Return the API's routes, relative to the server's base URL."""
    handlers = {
        "context": ContextHandler,
        "proposals": ProposalsHandler,
        "versions": VersionsHandler,
        f"versions/{NAME}/{NUMBER}": VersionHandler,
        "runs": RunsHandler,
        f"runs/{NAME}": RunHandler,
        f"runs/{NAME}/cancel": RunCancelHandler,
        f"runs/{NAME}/events": RunEventsHandler,
    }
    arguments = {"service": service}
    return [(f"/{API}/{path}", handler, arguments) for path, handler in handlers.items()]
