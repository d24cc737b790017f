"""Runs in a workspace on another machine, from the command line: asked for, followed, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

import nbformat
import pytest
from sqlalchemy import update

from nb2prod.execution.models import CiContext, Profile, RunStatus
from nb2prod.execution.runs import list_runs
from nb2prod.registry.models import RunSettings
from nb2prod.store.schema import access_tokens
from nb2prod.workspace.tokens import create_project_token, revoke_project_token
from tests.helpers.jobs import eventually
from tests.helpers.notebooks import code, markdown, parameters
from tests.helpers.remote import PROJECT, RemoteWorkspace, remote_workspace

CELLS = (
    markdown("# Seats of a market"),
    parameters('market: str = "JFK-DL"\nn: int = 100  # [1, ]'),
    markdown("## Counting"),
    code("print(market, n)"),
    markdown("## Checking"),
    code("assert market != 'BAD', 'bad market'"),
    code("import os\nif market == 'DIE': os._exit(1)"),
)
WAITING = (
    parameters("name: str = ''"),
    markdown("## Waiting"),
    code("print('before')"),
    code("import os, time\nwhile not os.path.exists(name): time.sleep(0.05)"),
    code("print('after')"),
)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteWorkspace]:
    with remote_workspace(tmp_path_factory.mktemp("ci")) as running:
        running.make_version(*CELLS, settings=RunSettings(smoke={"n": 2}))
        running.make_version(*WAITING, name="wait")
        yield running


def newest(remote: RemoteWorkspace) -> str:
    """The id of the run that was asked for last."""
    return list_runs(remote.workspace, person="olga", project=PROJECT, limit=1)[0].id


def hear_interrupts() -> None:
    """Let Ctrl-C act as it does in a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def count(remote: RemoteWorkspace) -> int:
    return len(list_runs(remote.workspace, person="olga", project=PROJECT, limit=500))


def read_until(stream: IO[str] | None, text: str) -> str:
    """Read what a command prints until a line has a text in it."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} did not come: {''.join(lines)}")


def test_run_is_followed_to_its_end_and_reported(remote: RemoteWorkspace, tmp_path: Path) -> None:
    junit, summary, output = (tmp_path / "new" / name for name in ("j.xml", "s.md", "o.ipynb"))

    done = remote.nb2prod(
        "run", "seats/train@v1", "-p", "market=EWR-UA", "--smoke",
        "--junit", str(junit), "--summary", str(summary), "-o", str(output),
        GITHUB_SHA="c0ffee", GITHUB_REF_NAME="main",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    record = remote.run(newest(remote))
    lines = done.stdout.splitlines()
    place = [lines.index(line) for line in ("Queued.", "3/5 Counting", "EWR-UA 2", "4/5 Checking")]
    assert place == sorted(place)
    assert lines.count("EWR-UA 2") == 1
    assert f"Page: {remote.running.url}/services/workspace/pages/{record.id}" in lines
    assert record.parameters == {"market": "EWR-UA", "n": 2}
    assert (record.profile, record.requested_by, record.requested_via) == (
        Profile.SMOKE,
        "edda",
        "ci",
    )
    assert record.ci == CiContext(commit="c0ffee", branch="main")
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("5", "0")
    assert [case.get("name") for case in suite.iter("testcase")][2] == "cell 5: Counting"
    assert "✅ train@v1 succeeded" in summary.read_text().replace("\\", "")
    assert f"({remote.running.url}/services/workspace/pages/{record.id})" in summary.read_text()
    assert "EWR-UA 2" in output.read_text()


def test_run_that_fails_has_exit_status_1_and_a_report_of_it(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    junit, summary = tmp_path / "j.xml", tmp_path / "s.md"
    summary.write_text("Before.\n")

    done = remote.nb2prod(
        "run", "seats/train", "-p", "market=BAD", "--junit", str(junit), "--summary", str(summary)
    )

    assert done.returncode == 1
    assert "bad market" in done.stderr
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert summary.read_text().startswith("Before.\n### ❌ train")
    assert "AssertionError: bad market" in summary.read_text()


def test_run_as_json_is_the_record(remote: RemoteWorkspace) -> None:
    done = remote.nb2prod("run", "seats/train", "--json")

    answer = json.loads(done.stdout)
    assert answer["run"]["status"] == "succeeded"
    assert answer["page"].endswith(answer["run"]["id"])


def test_run_without_waiting_is_asked_for_and_left(remote: RemoteWorkspace) -> None:
    done = remote.nb2prod("run", "seats/train", "--no-wait")

    assert done.returncode == 0, done.stderr
    run_id = newest(remote)
    assert f"/pages/{run_id}" in done.stdout
    eventually(lambda: remote.run(run_id).status is RunStatus.SUCCEEDED)


def test_run_is_followed_through_a_service_that_is_killed_and_started_anew(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    process = remote.start("run", "seats/wait", "-p", f"name={gate}")
    printed = read_until(process.stdout, "before")

    remote.running.stop("workspace", signal.SIGKILL)
    printed += read_until(process.stdout, "trying again")
    gate.touch()
    eventually(lambda: remote.run(newest(remote)).status is RunStatus.SUCCEEDED)
    remote.running.start("workspace")
    rest, _ = process.communicate(timeout=120)

    assert process.returncode == 0, rest
    assert "The workspace answers again." in rest
    assert (printed + rest).splitlines().count("before") == 1
    assert rest.splitlines().count("after") == 1


def test_interrupted_command_leaves_the_run_and_says_how_to_end_it(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    process = remote.start("run", "seats/wait", "-p", f"name={tmp_path / 'never'}")
    read_until(process.stdout, "before")
    run_id = newest(remote)

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert f"/services/workspace/pages/{run_id}" in said
    command = f"nb2prod cancel {run_id} --server {remote.running.url} --project seats"
    assert command in said
    assert remote.run(run_id).status is RunStatus.RUNNING
    done = remote.nb2prod(*command.split()[1:])
    assert done.returncode == 0, done.stderr
    assert "asked to end" in done.stdout
    eventually(lambda: remote.run(run_id).status is RunStatus.CANCELLED)
    again = remote.nb2prod("cancel", run_id)
    assert again.returncode == 4
    assert "ended already" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_that_is_to_cancel_ends_the_run_with_it(
    remote: RemoteWorkspace, tmp_path: Path, number: signal.Signals
) -> None:
    process = remote.start(
        "run", "seats/wait", "-p", f"name={tmp_path / 'never'}", "--cancel-on-interrupt"
    )
    read_until(process.stdout, "before")

    process.send_signal(number)
    said, _ = process.communicate(timeout=120)

    assert remote.run(newest(remote)).status is RunStatus.CANCELLED
    assert process.returncode == 1
    assert "edda has asked for its end." in said
    assert said.splitlines().count("before") == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("seats/train", "-p", "nosuch=1"), 2, "nosuch"),
        (("seats/train", "-p", "n=many"), 2, "n "),
        (("seats/train", "-p", "n=0"), 2, "n "),
        (("seats/train@v99",), 3, "train@v99"),
        (("seats/nosuch",), 3, "nosuch"),
        (("others/train",), 3, "nothing at this address"),
        (("seats/train", "--url", "javascript:alert(1)"), 2, "url"),
        (("seats/train", "--no-wait", "--junit", "j.xml"), 2, "--no-wait"),
        (("train", "--server", "http://127.0.0.1:9"), 2, "seats/train"),
        (("train", "--no-wait"), 2, "in a workspace"),
        (("seats/train", "--server", "nonsense"), 2, "no address of a workspace"),
        (("seats/train", "--server", "http://127.0.0.1:9"), 5, "does not answer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_run_that_cant_be_asked_for_is_refused_with_a_sentence(
    remote: RemoteWorkspace, arguments: tuple[str, ...], status: int, message: str
) -> None:
    before = count(remote)

    done = remote.nb2prod("run", *arguments)

    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "asked for all the same" not in done.stderr
    assert count(remote) == before


def test_token_that_is_none_any_more_is_refused_with_a_sentence(remote: RemoteWorkspace) -> None:
    made, revoked = create_project_token(remote.workspace, PROJECT, person="edda", title="Old")
    revoke_project_token(remote.workspace, PROJECT, made.id, person="edda")
    _, expired = create_project_token(remote.workspace, PROJECT, person="edda", title="Older")
    with remote.workspace.database.write() as connection:
        connection.execute(
            update(access_tokens)
            .where(access_tokens.c.title == "Older")
            .values(expires_at=datetime.now(UTC) - timedelta(days=1))
        )
    _, of_viewer = create_project_token(remote.workspace, PROJECT, person="vera", title="Looks")

    said = {
        token: remote.nb2prod("run", "seats/train", NB2PROD_TOKEN=token)
        for token in (revoked, expired, "nb2p_mistyped", "", "two words", of_viewer)
    }

    assert {done.returncode for done in said.values()} == {3}
    assert "does not know this token" in said[revoked].stderr
    assert "The token 'Older' expired on" in said[expired].stderr
    assert "does not know this token" in said["nb2p_mistyped"].stderr
    assert "set NB2PROD_TOKEN" in said[""].stderr
    assert "holds no token" in said["two words"].stderr
    assert "editor" in said[of_viewer].stderr
    assert not any(token and token in done.stderr for token, done in said.items())


def test_run_without_a_server_says_where_to_name_it(remote: RemoteWorkspace) -> None:
    done = remote.nb2prod("run", "seats/train", NB2PROD_SERVER="")

    assert done.returncode == 2
    assert "NB2PROD_SERVER" in done.stderr


def test_version_that_ends_the_kernel_is_a_run_that_did_not_succeed(
    remote: RemoteWorkspace,
) -> None:
    done: subprocess.CompletedProcess[str] = remote.nb2prod(
        "run", "seats/train", "-p", "market=DIE"
    )

    assert done.returncode == 1
    assert remote.run(newest(remote)).status is RunStatus.KERNEL_DIED


def papermill(
    remote: RemoteWorkspace, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run papermill's own command; of our workspace it knows what CI is told."""
    command = (sys.executable, "-m", "papermill", *arguments)
    return remote.call(*command, "--no-progress-bar", **environment)


def test_papermill_with_our_engine_runs_a_version_in_the_workspace(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    output = tmp_path / "out.ipynb"

    done = papermill(
        remote,
        *("nb2prod://seats/train@v1", str(output), "--engine", "nb2prod", "--log-output"),
        *("-p", "market", "EWR-UA", "-p", "n", "7"),
        GITHUB_SHA="c0ffee",
    )

    assert done.returncode == 0, done.stderr
    record = remote.run(newest(remote))
    assert f"nb2prod run {record.id} of train@v1" in done.stderr
    assert done.stderr.splitlines().count("EWR-UA 7") == 1
    assert (record.status, record.parameters) == (
        RunStatus.SUCCEEDED,
        {"market": "EWR-UA", "n": 7},
    )
    assert (record.requested_by, record.requested_via) == ("edda", "ci")
    assert record.ci == CiContext(commit="c0ffee")
    notebook = nbformat.read(output, as_version=4)
    nbformat.validate(notebook)
    assert [cell.outputs[0].text for cell in notebook.cells[4:5]] == ["EWR-UA 7\n"]
    assert notebook.metadata.nb2prod.run == record.id
    assert notebook.metadata.papermill.parameters == record.parameters
    assert notebook.metadata.papermill.output_path == str(output)


def test_papermill_with_its_own_engine_runs_a_version_here_and_records_nothing(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    before = count(remote)

    done = papermill(
        remote, "nb2prod://seats/train", str(tmp_path / "out.ipynb"), "-p", "market", "EWR-UA"
    )

    assert done.returncode == 0, done.stderr
    assert "EWR-UA 100" in (tmp_path / "out.ipynb").read_text()
    assert count(remote) == before


@pytest.mark.parametrize(
    ("market", "status", "code", "message"),
    [
        ("BAD", RunStatus.FAILED, 1, "AssertionError: bad market"),
        ("DIE", RunStatus.KERNEL_DIED, 138, "kernel_died"),
    ],
)
def test_papermill_ends_as_the_run_in_the_workspace_did(
    remote: RemoteWorkspace,
    tmp_path: Path,
    *,
    market: str,
    status: RunStatus,
    code: int,
    message: str,
) -> None:
    output = tmp_path / "out.ipynb"

    done = papermill(
        remote,
        *("nb2prod://seats/train@v1", str(output), "--engine", "nb2prod", "-p", "market", market),
    )

    assert done.returncode == code
    assert message in done.stderr
    assert remote.run(newest(remote)).status is status
    assert f"{market} 100" in output.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nb2prod://seats/train@v99",), "There is no train@v99"),
        (("nb2prod://seats/nosuch",), "nosuch"),
        (("nb2prod://others/train",), "nothing at this address"),
        (("nb2prod://seats/train", "-p", "nosuch", "1"), "nosuch"),
        (("nb2prod://seats/train", "-p", "market", "01"), "market"),
        (("nb2prod://seats/train", "-k", "other"), "with its own kernel, python3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_papermill_that_is_refused_says_why_before_any_run(
    remote: RemoteWorkspace, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    before = count(remote)
    address, *options = arguments

    done = papermill(remote, address, str(tmp_path / "out.ipynb"), "--engine", "nb2prod", *options)

    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert count(remote) == before


def test_papermill_gives_the_token_to_no_server_that_a_notebook_names(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    version = tmp_path / "version.ipynb"
    prepared = papermill(remote, "nb2prod://seats/train", str(version), "--prepare-only")
    assert prepared.returncode == 0, prepared.stderr
    text = version.read_text()
    assert remote.token not in text
    version.write_text(text.replace(remote.running.url, "http://127.0.0.1:9"))

    done = papermill(remote, str(version), str(tmp_path / "out.ipynb"), "--engine", "nb2prod")

    assert done.returncode == 1
    assert "if you trust it with your token" in done.stderr.splitlines()[-1]


def test_papermill_that_is_interrupted_cancels_the_run(
    remote: RemoteWorkspace, tmp_path: Path
) -> None:
    output = tmp_path / "out.ipynb"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "papermill", "nb2prod://seats/wait", str(output)),
            *("--engine", "nb2prod", "--log-output", "-r", "name", str(tmp_path / "never")),
        ],
        env={**os.environ, **remote.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell starts background jobs deaf to Ctrl-C, and these tests may be one.
        preexec_fn=hear_interrupts,
    )
    read_until(process.stdout, "before")

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "wait@v1 cancelled" in said
    assert remote.run(newest(remote)).status is RunStatus.CANCELLED
    assert "before" in output.read_text()
