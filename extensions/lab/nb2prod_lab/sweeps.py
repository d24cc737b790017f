"""The API for the browser: sweeps, handed on to the workspace service."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from nb2prod_lab.handlers import API, LIST_LIMIT, NAME, ServiceHandler, Strict
from nb2prod_lab.service import WorkspaceService


class SweepRequest(Strict):
    """Run a version with several values of its parameters, as the workspace reads them."""

    pipeline: str
    version: int | None = None
    axes: dict[str, Any]


class SweepsHandler(ServiceHandler):
    """Sweeps of the project's pipelines."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """List sweeps, newest first."""
        query = {
            "pipeline": self.get_query_argument("pipeline"),
            "limit": self.get_query_argument("limit", LIST_LIMIT),
            "offset": self.get_query_argument("offset", "0"),
        }
        self.finish(json.dumps(await self.service.ask("sweeps", **query)))

    @authenticated
    @authorized
    async def post(self) -> None:
        """Ask for a sweep."""
        wanted = self.read(SweepRequest)
        status, sweep = await self.service.tell(wanted.model_dump_json().encode(), "sweeps")
        self.set_status(status)
        self.finish(json.dumps(sweep))


class SweepPreviewHandler(ServiceHandler):
    """What a sweep would make."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Count the runs of a sweep; nothing is made."""
        wanted = self.read(SweepRequest).model_dump_json().encode()
        _, preview = await self.service.tell(wanted, "sweeps", "preview")
        self.finish(json.dumps(preview))


class SweepHandler(ServiceHandler):
    """One sweep, with a part of its table."""

    # As that of a run's events: it is asked for again and again.
    _track_activity = False

    @authenticated
    @authorized
    async def get(self, sweep_id: str) -> None:
        """Answer with the sweep as it is now."""
        query = {
            "sort": self.get_query_argument("sort", "position"),
            "order": self.get_query_argument("order", "asc"),
            "offset": self.get_query_argument("offset", "0"),
        }
        self.finish(json.dumps(await self.service.ask("sweeps", sweep_id, **query)))


class SweepChangeHandler(ServiceHandler):
    """The end of a sweep, or the rest of it, that somebody asks for."""

    @authenticated
    @authorized
    async def post(self, sweep_id: str, change: str) -> None:
        """Cancel all runs of a sweep, or run what is missing; answers with the sweep."""
        status, sweep = await self.service.tell(b"{}", "sweeps", sweep_id, change)
        self.set_status(status)
        self.finish(json.dumps(sweep))


def sweep_routes(
    service: WorkspaceService,
) -> list[tuple[str, type[ServiceHandler], dict[str, Any]]]:
    """Return the routes of sweeps, relative to the server's base URL."""
    handlers = {
        "sweeps": SweepsHandler,
        "sweeps/preview": SweepPreviewHandler,
        f"sweeps/{NAME}": SweepHandler,
        f"sweeps/{NAME}/(cancel|resume)": SweepChangeHandler,
    }
    arguments = {"service": service}
    return [(f"/{API}/{path}", handler, arguments) for path, handler in handlers.items()]
