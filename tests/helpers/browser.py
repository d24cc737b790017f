"""A real browser on the real gallery, and a watch over what it does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright
from starlette.types import ASGIApp

from nb2prod.server.sign_in import issue_token
from nb2prod.workspace.people import Identity
from nb2prod.workspace.workspace import Workspace
from tests.helpers.client import Introduced

PREFIX = "/services/workspace"
ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "test-results" / "screenshots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
START_TIMEOUT_S = 20.0

# No sandbox, as tests may run as root; no traffic of the browser's own.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require(is_there: bool, why: str) -> None:  # noqa: FBT001 (as `assert` reads)
    """Skip a test that lacks something on a laptop; in CI nothing may be missing."""
    if not is_there:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@contextmanager
def launched() -> Iterator[Browser]:
    """Give Debian's Chromium; skips where there is none, and fails in CI."""
    chromium = shutil.which("chromium")
    require(chromium is not None, "chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free port; gives its address up to the prefix."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            _wait_until_started(server)
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if time.monotonic() > deadline:
            pytest.fail(f"the gallery did not start in {START_TIMEOUT_S} s")
        time.sleep(0.02)


@dataclass
class Watch:
    """What a page did that a test may forbid."""

    page: Page
    origin: str
    requests: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("requestfailed", self._note_blocked)
        self.page.on("dialog", self._refuse)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self._listen(message.type, message.text))

    def _note(self, url: str) -> None:
        self.requests.append(url)
        parts = urlsplit(url)
        # `data:` carries its content with it and asks nobody.
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign.append(url)

    def _note_blocked(self, request: Request) -> None:
        # Chromium notes what its rules stop as a request that failed before it was sent.
        if request.failure in {"csp", "origin"}:
            self.blocked.append(request.url)

    def forget(self) -> None:
        """Begin to watch anew."""
        for noted in (self.requests, self.foreign, self.blocked, self.dialogs, self.errors):
            noted.clear()
        self.violations.clear()

    def _refuse(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _listen(self, kind: str, text: str) -> None:
        if "Content Security Policy" in text or "Content-Security-Policy" in text:
            self.violations.append(text)
        elif kind == "error" and not text.startswith("Failed to load resource"):
            self.errors.append(text)

    def assert_quiet(self) -> None:
        """Check that nothing was asked of others, nothing popped up, and nothing failed."""
        assert self.foreign == []
        assert self.dialogs == []
        assert self.errors == []


@contextmanager
def arriving(browser: Browser, url: str, **options: Any) -> Iterator[Watch]:
    """Open a fresh browser profile at an address.

    Parameters
    ----------
    options
        Of Playwright's ``new_context``.
    """
    context: BrowserContext = browser.new_context(
        **{"viewport": {"width": 1280, "height": 800}, **options}
    )
    context.set_default_timeout(10_000)
    parts = urlsplit(url)
    try:
        watch = Watch(context.new_page(), f"{parts.scheme}://{parts.netloc}")
        watch.page.goto(url)
        yield watch
    finally:
        context.close()


@contextmanager
def visiting(
    browser: Browser, address: str, workspace: Workspace, **options: Any
) -> Iterator[Watch]:
    """Open a fresh browser profile that is signed in as Ada, on the index."""
    token = issue_token(workspace, "ada")
    with arriving(browser, f"{address}/sign-in?token={token}", **options) as watch:
        yield watch


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of a page for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@contextmanager
def visiting_as(
    browser: Browser, app: ASGIApp, identity: Identity, path: str, **options: Any
) -> Iterator[Watch]:
    """A person at a page; at the end nothing may have been asked of others or gone wrong."""
    let_in = Introduced(app, identity, f"the secret of {identity.person}")
    with served(let_in) as address, arriving(browser, address + path, **options) as watch:
        yield watch
        watch.assert_quiet()
        assert watch.violations == []
        # A stream that is open keeps the server from ending.
        watch.page.goto("about:blank")


def assert_fits(page: Page, width: int, what: str = "") -> None:
    """Check that a page is no wider than its window, and that axe finds no fault in it."""
    require(AXE.exists(), "axe-core is not installed: npm ci")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    faults = [json.dumps(item, indent=1) for item in found["violations"]]
    assert not faults, what + "\n".join(faults)
