"""The gate before MLflow: who asks may what, in which project.

ASGI, within the login (`login.HubLogin`), which says who asks. What passes has exactly one
workspace, that of a project that the person is a member of, whatever the request said; and
carries nobody's cookie or token.
"""

from __future__ import annotations

import logging
from typing import Protocol
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from nb2prod.errors import NotFound, NotSignedIn
from nb2prod.server.admission import IDENTITY, SESSION
from nb2prod.server.errors import describe
from nb2prod.server.security import (
    COMMON_HEADERS,
    XSRF_HEADER,
    check_origin,
    needs_xsrf_token,
    xsrf_refusal,
)
from nb2prod.server.sign_in import is_xsrf_token
from nb2prod.workspace.mlflow_workspaces import workspace_name
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project, Role
from nb2prod_hub.mlflow_pages import SCRIPT_NAME, MlflowFiles, index_page, make_inert, script
from nb2prod_hub.mlflow_projects import ProjectDirectory
from nb2prod_hub.mlflow_routes import ARTIFACT_ROOTS, Access, Rule, find_rule

log = logging.getLogger(__name__)

WORKSPACE_HEADER = "x-mlflow-workspace"
# Metadata; MLflow holds such a body in memory, more than once.
MAX_BODY_BYTES = 32 * 1024 * 1024

_KEPT_BACK = frozenset({"authorization", "cookie", "forwarded", WORKSPACE_HEADER})
# What MLflow's own clients and page understand, by our status.
_MLFLOW_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    413: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    503: "TEMPORARILY_UNAVAILABLE",
}


class Backend(Protocol):
    """MLflow itself, as the gate needs it."""

    async def start(self) -> None:
        """Begin to start; returns at once."""

    async def ensure_workspace(self, name: str) -> None:
        """Make a workspace where there is none; waits until MLflow has started."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; waits until MLflow has started."""


class MlflowGate:
    """ASGI application: MLflow, as far as who asks may see it.

    Parameters
    ----------
    prefix
        Path of the service, without a slash at its end.
    """

    def __init__(self, backend: Backend, projects: ProjectDirectory, *, prefix: str) -> None:
        self.prefix = prefix
        self._backend = backend
        self._projects = projects
        self._files = MlflowFiles()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on to MLflow."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        has_started = False

        async def watch(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._serve(Request(scope, receive), receive, watch)
        except Exception as error:
            if has_started:
                raise
            # Logs, with its traceback, what is no answer that we meant.
            await answer_error(error)(scope, receive, send)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        path = request.scope["path"].removeprefix(self.prefix)
        rule = find_rule(request.method, path)
        if rule is not None and rule.access is Access.ANYBODY:
            response = await self._open(request, path)
            await response(request.scope, receive, send)
            return
        identity = self._identity(request)
        if rule is None:
            raise NotFound("There is nothing at this address, or it is not for you.")
        own = await self._own(request, rule, identity, path)
        if own is not None:
            own.headers.update({**COMMON_HEADERS, "Cache-Control": "no-store"})
            await own(request.scope, receive, send)
            return
        workspace = None
        if rule.access is not Access.PERSON:
            project = await self._project(request, rule, identity, self._named(request))
            workspace = workspace_name(project.name)
            await self._backend.ensure_workspace(workspace)
        await self._forward(request, rule, workspace, receive, send)

    def _identity(self, request: Request) -> Identity:
        identity, session = request.scope.get(IDENTITY), request.scope.get(SESSION)
        if not isinstance(identity, Identity):
            raise NotSignedIn(
                "You are not signed in. Open MLflow in a browser to sign in; a program sends a"
                " token (MLFLOW_TRACKING_TOKEN)."
            )
        if session is not None:
            check_origin(request)
            token = request.headers.get(XSRF_HEADER, "")
            if needs_xsrf_token(request) and not is_xsrf_token(session, token):
                raise xsrf_refusal()
        return identity

    async def _open(self, request: Request, path: str) -> Response:
        if path == f"/{SCRIPT_NAME}":
            return script()
        if path == "/health":
            return JSONResponse({"status": "ok"})
        return await self._files.answer(request, path.removeprefix("/static-files/"))

    async def _own(
        self, request: Request, rule: Rule, identity: Identity, path: str
    ) -> Response | None:
        if rule.access is Access.PAGE:
            return index_page(request, self.prefix, request.scope.get(SESSION))
        if rule.access is Access.WORKSPACES:
            projects = await run_in_threadpool(self._projects.of, identity)
            return JSONResponse({"workspaces": [_described(project) for project in projects]})
        if rule.access is Access.WORKSPACE:
            project = await self._project(request, rule, identity, path.rpartition("/")[2])
            return JSONResponse({"workspace": _described(project)})
        return None

    async def _project(
        self, request: Request, rule: Rule, identity: Identity, name: str | None
    ) -> Project:
        role = Role.EDITOR if rule.access is Access.WRITE else Role.VIEWER
        return await run_in_threadpool(self._projects.require, identity, name, role)

    def _named(self, request: Request) -> str | None:
        names = {name.strip() for name in request.headers.getlist(WORKSPACE_HEADER)} - {""}
        if request.method == "GET" and not names:
            # A link to a file can't send headers.
            names = set(request.query_params.getlist("workspace")) - {""}
        if len(names) > 1:
            raise NotFound("The request names more than one project.")
        return names.pop() if names else None

    async def _forward(
        self, request: Request, rule: Rule, workspace: str | None, receive: Receive, send: Send
    ) -> None:
        async def send_inert(message: Message) -> None:
            if message["type"] == "http.response.start":
                make_inert(MutableHeaders(scope=message))
            await send(message)

        bounded = receive if rule.is_upload else _bounded(request, receive)
        await self._backend(
            _inner_scope(request.scope, self.prefix, workspace), bounded, send_inert
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._backend.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return


def answer_error(error: Exception) -> Response:
    """Answer an error in our shape, with what MLflow's own clients look for in it."""
    status, body, headers = describe(error)
    content = {**body.model_dump(), "error_code": _MLFLOW_CODES.get(status, "INTERNAL_ERROR")}
    response = JSONResponse(content, status, headers)
    make_inert(response.headers)
    return response


def _described(project: Project) -> dict[str, str]:
    return {"name": workspace_name(project.name), "description": project.title}


def _inner_scope(scope: Scope, prefix: str, workspace: str | None) -> Scope:
    path = scope["path"]
    below = path.removeprefix(prefix)
    if below.startswith(tuple(f"{root}/" for root in ARTIFACT_ROOTS)):
        # MLflow has these routes twice: these, without the prefix, hold no file in memory.
        path = below
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if not _is_kept_back(name.decode("latin-1"))
    ]
    if workspace is not None:
        headers.append((WORKSPACE_HEADER.encode(), workspace.encode()))
    inner = {key: value for key, value in scope.items() if not key.startswith("nb2prod.")}
    # The app's own state and routing facts are not MLflow's.
    for key in ("app", "state", "endpoint", "path_params", "router"):
        inner.pop(key, None)
    return {**inner, "path": path, "raw_path": quote(path).encode(), "headers": headers}


def _is_kept_back(name: str) -> bool:
    return name in _KEPT_BACK or name.startswith("x-forwarded-")


def _bounded(request: Request, receive: Receive) -> Receive:
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > MAX_BODY_BYTES:
        raise HTTPException(413)
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return bounded
