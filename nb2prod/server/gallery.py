"""What all routes share: the workspace, where the app is mounted, templates, static files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from nb2prod.registry.lock import ObservedEnvironment, observe_environment
from nb2prod.server import links, presentation
from nb2prod.server.event_stream import Listeners
from nb2prod.server.servers import PersonServers
from nb2prod.server.sign_in import xsrf_token
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace

# By the project and the notebook's kernel: what its versions run with.
EnvironmentOf = Callable[[Project, str], ObservedEnvironment]
Answer = TypeVar("Answer")

# Checking and exporting a notebook takes about a second of one core.
PROMOTIONS_AT_ONCE = 2

STATIC_FOLDER = Path(__file__).parent / "static"
TEMPLATE_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who asks. ``session`` is the browser's secret; `None` for a program with a bearer token."""

    identity: Identity
    session: str | None

    @property
    def person(self) -> str:
        """The person's name."""
        return self.identity.person

    @property
    def via(self) -> str:
        """How the reader asks, as a run's record has it: ``browser`` or ``api``."""
        return "api" if self.session is None else "browser"

    @property
    def is_administrator(self) -> bool:
        """Whether the person administers the workspace, and asks as nothing less."""
        return self.identity.is_administrator and self.identity.project is None


def observed_here(_project: Project, kernel_name: str) -> ObservedEnvironment:
    """Return the environment of a kernel of this machine."""
    return observe_environment(kernel_name)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a gallery works with beside its workspace.

    Parameters
    ----------
    is_behind_login
        Whether a hub says who asks; see `admission`.
    executor
        Name of the dispatcher's executor that runs are given to; `None` where none listens.
    environment_of
        Gives the environment that a project's versions run with.
    servers
        People's servers; `None` where there are none.
    """

    is_behind_login: bool = False
    executor: str | None = None
    environment_of: EnvironmentOf = observed_here
    servers: PersonServers | None = None


class Gallery:
    """The parts that routes work with; one per app.

    Parameters
    ----------
    prefix
        Path under which everything lies, without a slash at its end.
    """

    def __init__(self, workspace: Workspace, *, prefix: str, means: Means | None = None) -> None:
        self.workspace = workspace
        self.prefix = prefix
        self.means = means or Means()
        self.listeners = Listeners()
        self._promotions = ThreadPoolExecutor(PROMOTIONS_AT_ONCE, thread_name_prefix="promotion")
        self.static_version = _fingerprint(STATIC_FOLDER)
        self._templates = _make_templates(self)

    def path(self, *parts: object) -> str:
        """Return the path of something below the prefix.

        Parts are a page's own words (run ids, hashes), never text from outside.
        """
        return "/".join((self.prefix, *(str(part) for part in parts)))

    def static(self, name: str) -> str:
        """Return the path of a static file; it changes whenever any of them changes."""
        return self.path("static", self.static_version, name)

    def has_static(self, name: str) -> bool:
        """Tell whether a static file is there; ``vendor/`` is made by ``npm run vendor``."""
        return (STATIC_FOLDER / name).is_file()

    async def promoting(self, work: Callable[[], Answer]) -> Answer:
        """Do work on a notebook in a thread of its own pool, so that nobody else waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._promotions, work)

    def close(self) -> None:
        """End the threads, after the work that they have."""
        self._promotions.shutdown(cancel_futures=True)

    def html(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Render one of our pages."""
        reader: Reader | None = getattr(request.state, "reader", None)
        session = reader.session if reader else None
        content = self._templates.get_template(template).render(
            nonce=request.state.nonce,
            reader=reader,
            xsrf=xsrf_token(session) if session else None,
            **context,
        )
        return HTMLResponse(content, status, headers)


class VersionedFiles(StaticFiles):
    """Static files at addresses that name their content: kept by browsers for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file and its cache rule."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def gallery_of(request: Request) -> Gallery:
    """Return the gallery of the app that a request came to; for FastAPI's `Depends`."""
    gallery: Gallery = request.app.state.gallery
    return gallery


def reader_of(request: Request) -> Reader:
    """Return who asks; only for routes behind `admission.admit`."""
    reader: Reader = request.state.reader
    return reader


def _make_templates(gallery: Gallery) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(
        path=gallery.path,
        static=gallery.static,
        has_static=gallery.has_static,
        prefix=gallery.prefix,
        links=links,
        is_behind_login=gallery.means.is_behind_login,
        look_of=presentation.look_of,
        now=presentation.now,
    )
    templates.filters.update(presentation.FILTERS)
    return templates


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
