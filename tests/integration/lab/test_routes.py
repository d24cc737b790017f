"""Every endpoint of the server half asks for a login; and none is forgotten here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from nb2prod_lab.handlers import API, routes
from nb2prod_lab.open_version import open_routes
from nb2prod_lab.service import WorkspaceService
from nb2prod_lab.settings import LabSettings
from nb2prod_lab.sweeps import sweep_routes

from tests.integration.lab.conftest import LabInProject

METHODS = ("get", "head", "post", "put", "patch", "delete")
# How each pattern of the routes is filled in.
PATHS = {
    f"/{API}/context": "context",
    f"/{API}/proposals": "proposals",
    f"/{API}/versions": "versions?pipeline=train",
    f"/{API}/runs": "runs?pipeline=train",
    f"/{API}/sweeps": "sweeps?pipeline=train",
    f"/{API}/sweeps/preview": "sweeps/preview",
}
FILLED = {
    "versions/": "versions/train/1",
    "/events": "runs/abcdefgh2345/events",
    "/cancel": "runs/abcdefgh2345/cancel",
    "(cancel|resume)": "sweeps/abcdefgh2345/cancel",
    "sweeps/": "sweeps/abcdefgh2345",
    "runs/": "runs/abcdefgh2345",
}

# Loads Jupyter Server with its extensions as `jupyter lab` does, and lists what is ours.
_LIST_ROUTES = """
import json
from jupyter_server.serverapp import ServerApp
app = ServerApp.instance()
app.initialize(["--ServerApp.open_browser=False", "--ServerApp.port=0", "--allow-root"])
rules = []
def walk(router):
    for rule in router.rules:
        target = rule.target
        if hasattr(target, "rules"):
            walk(target)
        elif getattr(target, "__module__", "").startswith("nb2prod_lab"):
            rules.append([rule.matcher.regex.pattern, target.__name__])
walk(app.web_app.default_router)
print("ROUTES" + json.dumps(rules))
"""


def all_routes(service: WorkspaceService) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return everything that the extension answers."""
    return [*routes(service), *sweep_routes(service), *open_routes(service)]


def endpoints() -> list[tuple[str, str]]:
    """All methods and paths that the extension answers."""
    service = WorkspaceService(LabSettings())
    found = []
    for pattern, handler, _ in all_routes(service):
        own = [method for method in METHODS if method in handler.__dict__]
        assert own, f"{handler.__name__} answers nothing"
        found += [(method.upper(), path_of(pattern)) for method in own]
    return found


def path_of(pattern: str) -> str:
    """Return a path that a route answers."""
    if pattern == "/nb2prod/open":
        return "nb2prod/open?pipeline=train&version=1"
    if pattern in PATHS:
        return f"{API}/{PATHS[pattern]}"
    return next(f"{API}/{path}" for part, path in FILLED.items() if part in pattern)


@pytest.mark.parametrize(("method", "path"), endpoints())
def test_endpoint_without_login_is_refused(
    in_project: LabInProject, method: str, path: str
) -> None:
    answer = httpx.request(method, f"{in_project.lab.url}{path}", trust_env=False)
    is_page_visit = method == "GET" and path.startswith("nb2prod/open")
    assert answer.status_code == (302 if is_page_visit else 403)
    if is_page_visit:
        assert "/login?next=" in answer.headers["Location"]


def test_routes_of_a_started_server_are_those_that_are_walked(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
    }
    result = subprocess.run(
        [sys.executable, "-c", _LIST_ROUTES],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    line = next(line for line in result.stdout.splitlines() if line.startswith("ROUTES"))
    there = {(pattern.removesuffix("$"), name) for pattern, name in json.loads(line[6:])}
    service = WorkspaceService(LabSettings())
    known = all_routes(service)
    assert there == {(pattern, handler.__name__) for pattern, handler, _ in known}


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/proposals",
        f"{API}/runs",
        f"{API}/runs/abcdefgh2345/cancel",
        f"{API}/sweeps/abcdefgh2345/resume",
        "nb2prod/open",
    ],
)
def test_post_of_a_browser_without_xsrf_token_is_refused(
    in_project: LabInProject, path: str
) -> None:
    lab = in_project.lab
    with httpx.Client(trust_env=False) as browser:
        browser.get(f"{lab.url}lab?token={lab.token}", follow_redirects=True)
        assert browser.get(f"{lab.url}{API}/context").is_success
        answer = browser.post(f"{lab.url}{path}", content=b"{}")
    assert answer.status_code == 403
    assert "_xsrf" in answer.text
