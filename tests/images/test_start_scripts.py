"""The programs that containers start with: the server, the worker, the health check."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.helpers.engine import HARDENED, IMAGES_TIMEOUT_S, Engine
from tests.helpers.hub import eventually

pytestmark = pytest.mark.timeout(IMAGES_TIMEOUT_S)

PREFIX = "/user/ada/seats/"
TOKEN = "a-server-token"


class AnsweringHub(BaseHTTPRequestHandler):
    """As much of a hub as a server asks while it starts: its version; it notes tokens."""

    tokens: set[str] = set()  # noqa: RUF012 - the test's own, one at a time

    def do_GET(self) -> None:
        self._answer({"version": "6.1.1"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, content: dict[str, str]) -> None:
        self.tokens.add(self.headers.get("Authorization", ""))
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def answering_hub(address: str) -> Iterator[str]:
    """Start such a hub at an address of this machine; gives its URL."""
    server = ThreadingHTTPServer((address, 0), AnsweringHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(hub: str) -> dict[str, str]:
    """What the hub gives to a server."""
    return {
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": f"{hub}/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"{hub}/hub/api/users/ada/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada-seats",
        "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": '["access:servers!server=ada/seats"]',
        "JUPYTERHUB_SERVER_NAME": "seats",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888{PREFIX}",
        "JUPYTERHUB_USER": "ada",
    }


@pytest.fixture(scope="module")
def server(docker_engine: Engine, base_image: str) -> Iterator[str]:
    """A person's server in a container, ready; the container's id."""
    network, address = docker_engine.network()
    with answering_hub(address) as hub:
        variables = [f"--env={name}={value}" for name, value in environment(hub).items()]
        container = docker_engine.start(
            base_image, options=(*HARDENED, f"--network={network}", *variables)
        )
        eventually(
            lambda: (
                docker_engine.ask("exec", container, "/opt/server/bin/check-health").status == 0
                or _gone(docker_engine, container)
            ),
            what="an answer of the server",
        )
        assert not _gone(docker_engine, container), docker_engine.logs(container)
        yield container
        docker_engine.ask("rm", "--force", container)


def _gone(engine: Engine, container: str) -> bool:
    return engine.say("inspect", "--format", "{{.State.Running}}", container) != "true"


def _inside(engine: Engine, container: str, program: str) -> str:
    """Run a program of the kernel's Python in a running container."""
    return engine.say("exec", container, "/opt/kernel/bin/python", "-c", program)


def test_server_behind_a_hub_answers_under_its_prefix_and_refuses_strangers(
    docker_engine: Engine, server: str
) -> None:
    program = (
        "import urllib.request as r, urllib.error as e\n"
        f"for path in ('api', 'api/contents', 'api/kernels'):\n"
        f"    try: print(path, r.urlopen('http://127.0.0.1:8888{PREFIX}' + path).status)\n"
        "    except e.HTTPError as error: print(path, error.code)\n"
    )

    assert _inside(docker_engine, server, program).splitlines() == [
        "api 200",
        "api/contents 403",
        "api/kernels 403",
    ]
    assert f"token {TOKEN}" in AnsweringHub.tokens


def test_server_process_is_isolated_python_with_group_writable_files(
    docker_engine: Engine, server: str
) -> None:
    program = (
        "import pathlib\n"
        "for entry in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    command = (entry / 'cmdline').read_bytes().split(b'\\0')\n"
        "    if command[0] == b'/opt/server/bin/python':\n"
        "        status = (entry / 'status').read_text()\n"
        "        variables = (entry / 'environ').read_bytes().split(b'\\0')\n"
        "        print(command[1].decode())\n"
        "        print(status.split('Umask:')[1].split()[0])\n"
        "        print(*[v.decode() for v in variables if v.startswith(b'MLFLOW')])\n"
    )

    assert _inside(docker_engine, server, program).splitlines() == [
        "-I",
        "0002",
        f"MLFLOW_TRACKING_TOKEN={TOKEN}",
    ]


def test_server_starts_without_failing_extensions(docker_engine: Engine, server: str) -> None:
    log = docker_engine.logs(server)

    assert "nb2prod_lab | extension was successfully loaded" in log
    assert "jupyter_lsp | extension was successfully loaded" not in log
    assert "Traceback" not in log


def test_health_check_of_a_server_that_does_not_answer_fails(
    docker_engine: Engine, base_image: str
) -> None:
    options = (*HARDENED, "--env=JUPYTERHUB_SERVICE_URL=http://0.0.0.0:8888/")

    assert docker_engine.run(base_image, "/opt/server/bin/check-health", options=options).status
    # A run's container is no server.
    assert docker_engine.run(base_image, "/opt/server/bin/check-health").status == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("start-server",), "is started by the hub"),
        (("start-worker",), "Usage: start-worker FOLDER"),
        (("start-worker", "/run/none"), "Usage: start-worker FOLDER"),
    ],
    ids=["server-without-hub", "worker-without-folder", "worker-with-no-such-folder"],
)
def test_start_script_without_what_it_needs_ends_with_a_sentence(
    docker_engine: Engine, base_image: str, command: tuple[str, ...], words: str
) -> None:
    name, *rest = command
    answer = docker_engine.run(base_image, f"/opt/server/bin/{name}", *rest)

    assert answer.status == 64
    assert words in answer.err


def test_start_script_with_a_module_in_the_working_folder_takes_the_image_s_own(
    docker_engine: Engine, base_image: str
) -> None:
    # What a member of the project could leave there for the others.
    program = (
        "cd ~ && for name in json nb2prod jupyterhub sitecustomize usercustomize; do"
        " echo 'print(\"taken\")' > $name.py; done;"
        " mkdir -p ~/.local/lib/python3.11/site-packages;"
        " cp sitecustomize.py usercustomize.py ~/.local/lib/python3.11/site-packages/;"
        " export PYTHONPATH=$HOME; mkdir run; /opt/server/bin/start-worker $PWD/run"
    )
    answer = docker_engine.run(base_image, "sh", "-c", program)

    assert answer.status == 2, answer.err
    assert "taken" not in answer.out + answer.err
    assert "holds no" in answer.err
