"""The image that people's servers and runs are made of: what it may, has, and has not."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

import nb2prod
from tests.helpers.engine import IMAGES_TIMEOUT_S, Engine

pytestmark = pytest.mark.timeout(IMAGES_TIMEOUT_S)

MAX_SIZE_BYTES = 1_000_000_000

STATE = """
import grp, json, os, pathlib
def writes(path):
    try:
        (pathlib.Path(path) / "probe").write_text("x")
    except OSError:
        return False
    return True
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "home": os.path.expanduser("~"),
    "writes": [path for path in ("/", "/opt/server/bin", "/opt/kernel/bin", "/etc", "/usr/lib",
        "/home/jovyan", "/tmp") if writes(path)],
}))
"""

KERNEL = """
import json, sys
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_kernel
specs = KernelSpecManager().find_kernel_specs()
manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
said = []
try:
    client.execute_interactive(
        "import sys, ipywidgets, matplotlib.pyplot, mlflow, pandas, sklearn; print(sys.prefix)",
        timeout=100, output_hook=lambda message: said.append(message["content"]))
finally:
    manager.shutdown_kernel(now=True)
print(json.dumps({"specs": specs, "said": said}))
"""


def test_base_image_is_labelled_and_at_most_one_gigabyte(
    docker_engine: Engine, base_image: str
) -> None:
    (image,) = json.loads(docker_engine.say("image", "inspect", base_image))

    assert image["Size"] <= MAX_SIZE_BYTES
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "nb2prod/base"
    assert labels["org.opencontainers.image.version"] == nb2prod.__version__
    assert labels["org.opencontainers.image.revision"]
    assert image["Config"]["User"] == "1000:1000"
    assert image["Config"]["Healthcheck"]["Test"] == ["CMD", "/opt/server/bin/check-health"]


def test_base_image_default_account_is_not_root(docker_engine: Engine, base_image: str) -> None:
    answer = docker_engine.run(base_image, "id", "-un", options=())

    assert answer.out.strip() == "jovyan"


def test_person_in_hardened_container_writes_to_home_and_tmp_only(
    docker_engine: Engine, base_image: str
) -> None:
    answer = docker_engine.run(base_image, "/opt/kernel/bin/python", "-c", STATE)

    assert json.loads(answer.out) == {
        "uid": 1000,
        "gid": 20001,
        "home": "/home/jovyan",
        "writes": ["/home/jovyan", "/tmp"],
    }


def test_person_without_read_only_root_can_change_neither_server_nor_kernel(
    docker_engine: Engine, base_image: str
) -> None:
    # The account of an image that somebody runs by hand.
    answer = docker_engine.run(
        base_image,
        "find", "/opt", "/etc", "/usr",
        "!", "-readable", "-prune", "-o", "-writable", "!", "-type", "l", "-print",
        options=(),
    )  # fmt: skip

    assert (answer.status, answer.out, answer.err) == (0, "", "")


def test_no_program_in_the_image_gives_another_account(
    docker_engine: Engine, base_image: str
) -> None:
    answer = docker_engine.run(
        base_image,
        "find", "/", "-xdev", "-type", "f", "-perm", "/6000",
        options=("--user=0",),
    )  # fmt: skip

    assert (answer.status, answer.out) == (0, "")


def test_kernel_python3_is_the_only_one_and_has_the_usual_packages(
    docker_engine: Engine, base_image: str
) -> None:
    answer = docker_engine.run(base_image, "/opt/server/bin/python", "-I", "-c", KERNEL)

    seen = json.loads(answer.out.splitlines()[-1])
    assert seen["specs"] == {"python3": "/opt/kernel/share/jupyter/kernels/python3"}
    assert {"name": "stdout", "text": "/opt/kernel\n"} in seen["said"], seen["said"]


def test_server_and_worker_import_without_a_kernel_of_their_own(
    docker_engine: Engine, base_image: str
) -> None:
    program = (
        "import importlib.util, nb2prod, nb2prod_lab.extension, nb2prod.execution.worker, mlflow;"
        "print(nb2prod.__version__, importlib.util.find_spec('ipykernel'))"
    )
    answer = docker_engine.run(base_image, "/opt/server/bin/python", "-I", "-c", program)

    assert answer.out.strip() == f"{nb2prod.__version__} None", answer.err


@pytest.mark.parametrize("environment", ["server", "kernel"])
def test_all_bytecode_is_there_and_taken_without_asking_the_source(
    docker_engine: Engine, base_image: str, environment: str
) -> None:
    # A header with flags 0b01: by hash, and not to be compared (PEP 552).
    program = (
        "import importlib.util, pathlib, sys\n"
        "for file in pathlib.Path(sys.argv[1]).rglob('*.py'):\n"
        "    if 'tests' in file.parts: continue\n"
        "    cached = pathlib.Path(importlib.util.cache_from_source(str(file)))\n"
        "    if not cached.exists():\n"
        "        try: compile(file.read_bytes(), str(file), 'exec')\n"
        "        except (SyntaxError, ValueError): continue\n"
        "        print('missing', file)\n"
        "    elif cached.read_bytes()[4:8] != bytes([1, 0, 0, 0]): print('compared', file)\n"
    )
    answer = docker_engine.run(
        base_image,
        f"/opt/{environment}/bin/python",
        "-W", "ignore", "-c", program, f"/opt/{environment}/lib",
    )  # fmt: skip

    assert (answer.status, answer.out) == (0, ""), answer.out[:2000]


def test_matplotlib_searches_no_fonts_in_an_empty_home(
    docker_engine: Engine, base_image: str
) -> None:
    program = (
        ". /opt/server/bin/prepare-home; umask; /opt/kernel/bin/python -c '"
        "import logging; logging.basicConfig(level=logging.DEBUG); import matplotlib.font_manager'"
    )
    answer = docker_engine.run(base_image, "sh", "-c", program)

    assert answer.out.strip() == "0002"
    assert "Using fontManager instance from /home/jovyan/.cache/matplotlib" in answer.err
    assert "generated new fontManager" not in answer.err


def test_builds_leave_neither_caches_nor_addresses_of_registries_in_the_image(
    docker_engine: Engine, base_image: str
) -> None:
    found = docker_engine.run(
        base_image,
        "sh", "-c",
        "ls -A /root /home/jovyan /build /var/lib/apt/lists /var/cache/apt /wheels 2>/dev/null"
        " | grep -vE '^(\\.bashrc|\\.profile|\\.bash_logout|)$|:$';"
        " find / -xdev -type f -regextype posix-extended"
        " -regex '.*/(pip\\.conf|uv\\.toml|\\.netrc|gcc|uv)'",
        options=("--user=0",),
    )  # fmt: skip

    assert found.out == ""
    history = docker_engine.say("history", "--no-trunc", "--format", "{{.CreatedBy}}", base_image)
    assert "INDEX" not in history


def test_certificates_of_this_machine_are_trusted_in_the_image(
    docker_engine: Engine, base_image: str
) -> None:
    added = {
        ssl.PEM_cert_to_DER_cert(file.read_text().strip())
        for file in Path("/usr/local/share/ca-certificates").rglob("*.crt")
    }
    program = (
        "import os, ssl; print(os.environ['SSL_CERT_FILE']);"
        "[print(der.hex()) for der in ssl.create_default_context().get_ca_certs(binary_form=True)]"
    )
    file, *trusted = docker_engine.run(
        base_image, "/opt/kernel/bin/python", "-c", program
    ).out.split()

    assert file == "/etc/ssl/certs/ca-certificates.crt"
    assert len(trusted) > 100
    assert {der.hex() for der in added} <= set(trusted)
