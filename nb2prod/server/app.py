"""The gallery as an ASGI application: what is put together with what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse

from nb2prod import __version__
from nb2prod.errors import Nb2prodError
from nb2prod.server.admission import admit
from nb2prod.server.background import Upkeep
from nb2prod.server.errors import ErrorBoundary, answer_error
from nb2prod.server.gallery import STATIC_FOLDER, Gallery, VersionedFiles
from nb2prod.server.routes import api, pages, session
from nb2prod.server.security import HostCheck, SecurityHeaders
from nb2prod.workspace.workspace import Workspace

PREFIX = "/services/workspace"


def create_app(
    workspace: Workspace,
    *,
    prefix: str = PREFIX,
    hosts: Iterable[str] = (),
    upkeep_interval_s: float = 3.0,
) -> FastAPI:
    """Return the gallery of a workspace.

    The application does not close the workspace. While it serves, it looks after the
    workspace in a thread (see `background.Upkeep`).

    Parameters
    ----------
    prefix
        Path under which everything lies; begins with a slash, ends with none.
    hosts
        Host names to answer for, beside those of the loopback device.
    upkeep_interval_s
        Pause between two rounds of upkeep: how late a page may appear.
    """
    gallery = Gallery(workspace, prefix=prefix)
    app = FastAPI(
        title="nb2prod gallery",
        summary="Pages and runs of a workspace.",
        version=__version__,
        # The usual documentation pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_upkeep(workspace, upkeep_interval_s),
    )
    app.state.gallery = gallery
    _add_routes(app, gallery)
    for kind in (Nb2prodError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer_error)
    # The last one added is the outermost.
    app.add_middleware(HostCheck, hosts=hosts)
    app.add_middleware(ErrorBoundary)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=6)
    return app


def _add_routes(app: FastAPI, gallery: Gallery) -> None:
    closed = APIRouter(prefix=gallery.prefix, dependencies=[Depends(admit)])
    for router in (session.private, pages.router, api.router):
        closed.include_router(router)
    app.include_router(closed)
    app.include_router(session.public, prefix=gallery.prefix)
    app.mount(
        f"{gallery.prefix}/static/{gallery.static_version}",
        VersionedFiles(directory=STATIC_FOLDER),
        name="static",
    )

    @app.get("/", include_in_schema=False, name="root")
    def root() -> RedirectResponse:
        return RedirectResponse(gallery.path(""))


def _upkeep(
    workspace: Workspace, interval_s: float
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        upkeep = Upkeep(workspace, interval_s=interval_s)
        upkeep.start()
        yield
        await run_in_threadpool(upkeep.stop)

    return lifespan
