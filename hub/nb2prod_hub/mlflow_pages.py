"""MLflow's page as we serve it, and the headers of everything that comes from it.

What MLflow serves besides its own code is made by people and notebooks, and would run on the
origin that their servers and our services share; so all of it is handed out inert.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from nb2prod.errors import NotFound, ServiceUnreachable
from nb2prod.server.security import COMMON_HEADERS, INERT_POLICY
from nb2prod.server.sign_in import xsrf_token

SCRIPT_NAME = "nb2prod.js"
_SCRIPT = Path(__file__).parent / "static" / "mlflow.js"
_FIRST_SCRIPT = re.compile(r"<script\b")
# Pages of MLflow that are made to be framed by notebooks.
_CLOSED_FOLDER = "lib/"


def page_policy(base: str) -> str:
    """Return the Content-Security-Policy of MLflow's page.

    Scripts come from MLflow's own folder only: ``'self'`` would let in whatever anybody's
    server, on the same host, hands out. Its styles are made by script, its charts compile
    functions, its editor works in a worker. No frames: MLflow would show people's HTML in one
    that may do what our pages may.

    Parameters
    ----------
    base
        Address of the service, without a slash at its end.
    """
    return (
        f"default-src 'none'; script-src {base}/static-files/ {base}/{SCRIPT_NAME} 'unsafe-eval';"
        " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
        f" connect-src {base}/; worker-src {base}/static-files/ blob:; manifest-src 'self';"
        " media-src blob:; frame-src 'none'; object-src 'none'; form-action 'none';"
        " base-uri 'none'; frame-ancestors 'none'"
    )


def index_page(request: Request, prefix: str, session: str | None) -> Response:
    """Return MLflow's page, with our script in it.

    With a ``workspace`` in the query it leads to that workspace; MLflow's page reads it from
    the fragment, which a login would lose.
    """
    workspace = request.query_params.get("workspace", "")
    if re.fullmatch(r"[a-z0-9-]{1,63}", workspace):
        return RedirectResponse(f"{prefix}/#/experiments?workspace={workspace}", 303)
    xsrf = xsrf_token(session) if session else ""
    ours = f'src="{prefix}/{SCRIPT_NAME}" data-xsrf="{xsrf}" data-prefix="{prefix}"'
    page = _FIRST_SCRIPT.sub(f"<script {ours}></script><script", _index(), count=1)
    base = f"{request.url.scheme}://{request.headers.get('host', '')}{prefix}"
    return HTMLResponse(page, headers={"Content-Security-Policy": page_policy(base)})


def script() -> Response:
    """Return our script for MLflow's page."""
    return FileResponse(_SCRIPT, headers={"Cache-Control": "no-cache"})


class MlflowFiles(StaticFiles):
    """The code of MLflow's page, straight from the package: MLflow need not have started."""

    def __init__(self) -> None:
        super().__init__(directory=build_folder(), check_dir=False)

    async def answer(self, request: Request, path: str) -> Response:
        """Return a file; its names carry a hash of its content."""
        if path.startswith(_CLOSED_FOLDER) or path.endswith(".html"):
            raise NotFound("There is nothing at this address, or it is not for you.")
        response = await self.get_response(path, request.scope)
        response.headers["Cache-Control"] = "public, max-age=2419200"
        response.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'"
        return response


def make_inert(headers: MutableHeaders) -> None:
    """Set the headers of an answer of MLflow: nothing in it may act, wherever it is opened."""
    for name in ("set-cookie", "x-frame-options"):
        del headers[name]
    for name in [name for name in headers if name.startswith("access-control-")]:
        del headers[name]
    headers.update({**COMMON_HEADERS, "Content-Security-Policy": INERT_POLICY})
    headers["Cache-Control"] = "no-store"
    if not headers.get("content-type", "").startswith("application/json"):
        headers.setdefault("Content-Disposition", "attachment")


@cache
def build_folder() -> Path:
    """Return the folder of MLflow's page; without importing MLflow, which takes seconds."""
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        raise ServiceUnreachable("MLflow is not installed: pip install 'nb2prod[mlflow]'.")
    return Path(spec.origin).parent / "server" / "js" / "build"


@cache
def _index() -> str:
    try:
        return (build_folder() / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ServiceUnreachable(
            "This installation of MLflow has no pages. Install mlflow, not mlflow-skinny."
        ) from error
