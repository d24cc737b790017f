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
from nb2prod.server.gallery import (
    STATIC_FOLDER,
    EnvironmentOf,
    Gallery,
    Means,
    VersionedFiles,
    observed_here,
)
from nb2prod.server.routes import (
    api,
    compare,
    pages,
    projects,
    projects_api,
    run_results_api,
    runs,
    runs_api,
    schedules,
    schedules_api,
    secrets_api,
    session,
    settings,
    sweeps,
    sweeps_api,
    tokens_api,
    versions_api,
)
from nb2prod.server.security import HostCheck, SecurityHeaders
from nb2prod.server.servers import PersonServers
from nb2prod.workspace.workspace import Workspace

PREFIX = "/services/workspace"


def create_app(  # noqa: PLR0913 (a shell says by name what it puts in; all have a default)
    workspace: Workspace,
    *,
    prefix: str = PREFIX,
    hosts: Iterable[str] = (),
    upkeep_interval_s: float = 3.0,
    is_behind_login: bool = False,
    executor: str | None = None,
    environment_of: EnvironmentOf | None = None,
    servers: PersonServers | None = None,
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
    is_behind_login
        Whether a middleware around the application says who asks (see `admission`); by default
        it has its own sign-in, by a one-time address.
    executor
        Name of the dispatcher's executor that runs are given to; by default nothing can be run.
    environment_of
        Gives the environment that a project's versions run with; by default that of the
        kernel on this machine.
    servers
        People's servers, for the pages to show and stop; by default there are none.
    """
    means = Means(
        is_behind_login=is_behind_login,
        executor=executor,
        environment_of=environment_of or observed_here,
        servers=servers,
    )
    gallery = Gallery(workspace, prefix=prefix, means=means)
    app = FastAPI(
        title="nb2prod gallery",
        summary="Pages and runs of a workspace.",
        version=__version__,
        # The usual documentation pages load their scripts from another host.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_upkeep(gallery, upkeep_interval_s),
    )
    app.state.gallery = gallery
    _add_routes(app, gallery)
    for kind in (Nb2prodError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer_error)
    # The last one added is the outermost.
    if not gallery.means.is_behind_login:
        # Behind a login a name of another's brings no cookie of ours, and the hub has many names.
        app.add_middleware(HostCheck, hosts=hosts)
    app.add_middleware(ErrorBoundary)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=6)
    return app


def _add_routes(app: FastAPI, gallery: Gallery) -> None:
    closed = APIRouter(prefix=gallery.prefix, dependencies=[Depends(admit)])
    for router in (
        pages.router,
        compare.router,
        projects.router,
        runs.router,
        schedules.router,
        sweeps.router,
        settings.router,
    ):
        closed.include_router(router)
    for router in (
        api.router,
        projects_api.router,
        versions_api.router,
        runs_api.router,
        run_results_api.router,
        tokens_api.router,
        secrets_api.router,
        schedules_api.router,
        sweeps_api.router,
    ):
        closed.include_router(router)
    if not gallery.means.is_behind_login:
        closed.include_router(session.private)
        app.include_router(session.public, prefix=gallery.prefix)
    app.include_router(closed)
    app.mount(
        f"{gallery.prefix}/static/{gallery.static_version}",
        VersionedFiles(directory=STATIC_FOLDER),
        name="static",
    )

    @app.get("/", include_in_schema=False, name="root")
    def root() -> RedirectResponse:
        return RedirectResponse(gallery.path(""))


def _upkeep(
    gallery: Gallery, interval_s: float
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        upkeep = Upkeep(gallery.workspace, interval_s=interval_s)
        upkeep.start()
        yield
        await run_in_threadpool(upkeep.stop)
        await run_in_threadpool(gallery.close)

    return lifespan
