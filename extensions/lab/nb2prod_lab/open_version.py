"""*Open in my workspace*: a version's notebook, put into the private folder under a new name."""

from __future__ import annotations

import asyncio
import os
import secrets
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_escape, url_path_join
from tornado.web import HTTPError, authenticated

from nb2prod.errors import InvalidInput, StorageUnusable, storage_error
from nb2prod.registry.models import Reference
from nb2prod_lab.answers import describe
from nb2prod_lab.service import WorkspaceService
from nb2prod_lab.settings import PRIVATE

MAX_COPIES = 1000
# What a browser sends when a person follows a link on a page of this origin. Without TLS it
# sends nothing of the kind to other hosts than this machine; then the person is asked.
_OWN_VISIT = {
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


class OpenHandler(JupyterHandler):
    """Opens a version; a visit that another site may have caused is asked about before."""

    auth_resource = "nb2prod"

    def initialize(self, service: WorkspaceService) -> None:
        """Keep the service; tornado calls it."""
        self.service = service

    @authenticated
    @authorized
    async def get(self) -> None:
        """Open the version, where a page of this origin led here; else ask."""
        reference = self._reference()
        if self._is_own_visit():
            await self._open(reference)
        else:
            self._page("Open in your workspace", _question(reference), form=self.xsrf_form_html())

    @authenticated
    @authorized
    async def post(self) -> None:
        """Open the version: the person has said so."""
        await self._open(self._reference())

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say on a page what went wrong."""
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else HTTPError(status_code)
        status, body = describe(self, error)
        self.set_status(status)
        self._page("The version can't be opened", body["message"])

    def log_exception(self, *exc_info: Any) -> None:
        """Leave the log to `describe`."""

    def _reference(self) -> Reference:
        pipeline, number = self.get_argument("pipeline"), self.get_argument("version")
        if not (number.isascii() and number.isdecimal()):
            raise InvalidInput(f"{number!r} is no number of a version.")
        return Reference.parse(f"{pipeline}@v{number}")

    def _is_own_visit(self) -> bool:
        headers = self.request.headers
        is_own = all(headers.get(name) == value for name, value in _OWN_VISIT.items())
        # Prefetching is no visit.
        return is_own and "Sec-Purpose" not in headers

    async def _open(self, reference: Reference) -> None:
        content = await self.service.fetch(
            "versions", reference.pipeline, str(reference.number), "notebook"
        )
        folder = self.service.settings.private_folder
        if folder is None:
            raise StorageUnusable("This server has no private folder (NB2PROD_PRIVATE_FOLDER).")
        name = await asyncio.to_thread(write_new, folder, str(reference), content)
        self.redirect(
            url_path_join(self.base_url, "lab/tree", url_escape(f"{PRIVATE}/{name}")), status=303
        )

    def _page(self, title: str, sentence: str, form: str = "") -> None:
        nonce = secrets.token_urlsafe(16)
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self';"
            " base-uri 'none'; frame-ancestors 'none'",
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        home = url_path_join(self.base_url, "lab")
        button = f'<form method="post">{form}<button>Open</button></form>' if form else ""
        self.finish(
            _PAGE.substitute(
                title=escape(title),
                sentence=escape(sentence),
                button=button,
                home=escape(home),
                nonce=nonce,
            )
        )


def write_new(folder: Path, stem: str, content: bytes) -> str:
    """Write a notebook under a name that is free; gives the name.

    Nothing is overwritten, whoever else writes at the same time.

    Parameters
    ----------
    stem
        The name without its ending; ``stem (2)`` and so on where that is taken.

    Raises
    ------
    StorageFull, StorageUnusable
        The folder can't be written to, or holds too many copies already.
    """
    for copy in range(1, MAX_COPIES + 1):
        name = f"{stem}.ipynb" if copy == 1 else f"{stem} ({copy}).ipynb"
        try:
            _create(folder / name, content)
        except FileExistsError:
            continue
        except OSError as error:
            raise storage_error(folder / name, error) from error
        return name
    raise StorageUnusable(f"{folder} has {MAX_COPIES} copies of {stem}. Delete some.")


def _create(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _question(reference: Reference) -> str:
    return f"Put a copy of {reference} into your private folder, and open it?"


def open_routes(service: WorkspaceService) -> list[tuple[str, type[OpenHandler], dict[str, Any]]]:
    """Return the route of page visits, relative to the server's base URL."""
    return [("/nb2prod/open", OpenHandler, {"service": service})]


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style nonce="$nonce">
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem; }
h1 { font-size: 1.4rem; }
form { margin: 1.5rem 0; }
button { font: inherit; padding: .5rem 1.5rem; border: 0; border-radius: .375rem;
  background: #1f6feb; color: #fff; cursor: pointer; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$sentence</p>
$button
<p><a href="$home">Go to JupyterLab</a></p>
</main>
</body>
</html>
""")
