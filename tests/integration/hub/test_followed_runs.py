"""Following a run through the real proxy, as CI does with its token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from nb2prod.execution.events import Noted, encode
from nb2prod.execution.models import RunRequest
from nb2prod.execution.recorder import now, run_folder
from nb2prod.execution.runs import request_run, start_run
from nb2prod.jobs.cancel import cancel_run
from nb2prod.knowledge.pages import publish
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import get_project
from nb2prod.workspace.tokens import create_project_token, revoke_project_token
from tests.helpers.kernels import make_version
from tests.helpers.notebooks import code
from tests.helpers.services import TIMEOUT_S, Services


def test_run_is_followed_through_the_proxy_as_it_happens(running: Services) -> None:
    workspace = running.workspace
    project = get_project(workspace, "seats", person="edith")
    version = make_version(Repository(project.repository), code("1"), name="followed")
    record, other = (
        request_run(
            workspace,
            project,
            version,
            {},
            request=RunRequest(by="edith", via="api", executor="process"),
        )
        for _ in range(2)
    )
    token, secret = create_project_token(workspace, "seats", person="edith", title="CI", days=1)
    folder = run_folder(workspace, record.id).work
    folder.path.mkdir(parents=True)
    start_run(workspace, record.id)

    with streamed(running, secret, record.id) as response:
        lines = response.iter_lines()
        assert told(lines, "state")["status"] == "running"
        # Each is written only when the one before has come through.
        for number in range(3):
            with folder.events.open("ab") as log:
                log.write(encode(Noted(at=now(), text=str(number))))
            assert told(lines, "note")["text"] == str(number)

    cancel_run(workspace, "seats", other.id, person="edith")
    publish(workspace, other.id)
    with streamed(running, secret, other.id) as response:
        assert told(response.iter_lines(), "end")["status"] == "cancelled"
    revoke_project_token(workspace, "seats", token.id, person="edith")
    with streamed(running, secret, other.id) as response:
        assert response.status_code == 401


@contextmanager
def streamed(running: Services, secret: str, run_id: str) -> Iterator[httpx.Response]:
    """Open a run's stream, by the address that people open."""
    url = f"{running.url}/services/workspace/api/v1/projects/seats/runs/{run_id}/stream"
    headers = {"authorization": f"Bearer {secret}"}
    with (
        httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        yield response


def told(lines: Iterator[str], name: str) -> dict[str, object]:
    """The content of the next event of a name."""
    is_next = False
    for line in lines:
        field, _, text = line.partition(": ")
        if field == "event":
            is_next = text == name
        elif field == "data" and is_next:
            found: dict[str, object] = json.loads(text)
            return found
    raise AssertionError(f"the stream ended without {name!r}")
