"""What a hostile run leaves in its folder: nothing outside is read, and nothing is believed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nb2prod.execution import evidence
from nb2prod.execution.collect import collect
from nb2prod.execution.events import (
    CellEnded,
    CellStarted,
    Event,
    FilesSettled,
    Noted,
    OutputAdded,
    ResultsKept,
    RunEnded,
    RunStarted,
    TrackingStarted,
    encode,
)
from nb2prod.execution.evidence import Verdict
from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    CellStatus,
    FileAccess,
    FileUse,
    RunRecord,
    RunStatus,
)
from nb2prod.execution.recorder import RunFolder, now
from nb2prod.execution.request import prepare_folder
from nb2prod.execution.runs import get_run
from nb2prod.knowledge.pages import catch_up, get_page
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import load_version
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench
from tests.helpers.notebooks import code, markdown, parameters, stream

SECRET = b"root:$6$secret\n"
KILLED = Verdict(reason="The run's worker was ended by SIGKILL.")


@pytest.fixture
def bench(workspace: Workspace) -> JobBench:
    return JobBench.found(workspace, executor="docker")


@pytest.fixture
def run_id(bench: JobBench) -> str:
    asked_for = bench.request(
        markdown("# Seats"), parameters("days: int = 2"), code("print(days)"), values={"days": 3}
    )
    record = bench.run(asked_for)
    reference = Reference(record.pipeline, record.version)
    version = load_version(bench.project.repository, reference)
    prepare_folder(bench.folder(asked_for), record, version)
    return asked_for


@pytest.fixture
def work(bench: JobBench, run_id: str) -> RunFolder:
    return bench.folder(run_id).work


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_bytes(SECRET)
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def artifact(content: bytes = b"a,b", name: str = "out.csv", **changes: Any) -> Artifact:
    values = {"sha256": sha256(content), "size_bytes": len(content), **changes}
    return Artifact(name=name, kind=ArtifactKind.TABLE, media_type="text/csv", **values)


def success(run_id: str, *artifacts: Artifact, metrics: dict[str, float] | None = None) -> bytes:
    """A log of a run that went well."""
    events: tuple[Event, ...] = (
        RunStarted(at=now(), run_id=run_id, reference="train@v1", code_cells=3),
        CellStarted(at=now(), number=4, position=3, heading="Seats"),
        OutputAdded(at=now(), number=4, output=stream("3\n")),
        CellEnded(at=now(), number=4, status=CellStatus.SUCCEEDED, execution_count=3),
        RunEnded(at=now(), status=RunStatus.SUCCEEDED, reason=""),
        ResultsKept(at=now(), metrics=metrics or {}, artifacts=artifacts),
    )
    return b"".join(map(encode, events))


def put(work: RunFolder, content: bytes) -> str:
    work.artifacts.mkdir(exist_ok=True)
    (work.artifacts / sha256(content)).write_bytes(content)
    return sha256(content)


def collected(bench: JobBench, run_id: str) -> RunRecord:
    record = collect(bench.workspace, run_id, verdict=KILLED)
    assert get_run(bench.workspace, run_id, person="ada") == record
    assert catch_up(bench.workspace) == (run_id,)
    assert get_page(bench.workspace, run_id, person="ada").record == record
    return record


def stored(bench: JobBench) -> list[bytes]:
    folder = Path(bench.workspace.blobs.url)
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_what_an_honest_run_left_is_kept(bench: JobBench, run_id: str, work: RunFolder) -> None:
    put(work, b"a,b")
    work.events.write_bytes(success(run_id, artifact(), metrics={"mape": 4.1}))

    record = collected(bench, run_id)

    assert (record.status, record.reason, record.notes) == (RunStatus.SUCCEEDED, "", ())
    assert record.metrics == {"mape": 4.1}
    assert record.parameters == {"days": 3}
    assert [item.name for item in record.artifacts] == ["out.csv"]
    assert bench.workspace.blobs.get(record.artifacts[0].sha256) == b"a,b"
    notebook = json.loads(bench.workspace.blobs.get(record.sources["executed"]))
    assert notebook["cells"][2]["source"] == "days: int = 3"
    assert notebook["cells"][3]["outputs"] == [stream("3\n")]
    assert not work.artifacts.exists()


def link(target: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


@pytest.mark.parametrize("kind", ["link", "link to a link", "pipe", "folder", "hole"])
def test_log_that_is_no_plain_file_of_a_sensible_size_is_not_read(
    bench: JobBench, run_id: str, work: RunFolder, tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "events.jsonl"
    elsewhere.write_bytes(success(run_id))
    if kind == "link":
        work.events.symlink_to(elsewhere)
    elif kind == "link to a link":
        (work.path / "way").symlink_to(elsewhere)
        work.events.symlink_to("way")
    elif kind == "pipe":
        os.mkfifo(work.events)
    elif kind == "folder":
        work.events.mkdir()
    else:
        with work.events.open("wb") as log:
            log.truncate(2**40)
            log.seek(2**40)
            log.write(b"\n" + success(run_id))

    record = collected(bench, run_id)

    assert (record.status, record.reason) == (RunStatus.LOST, KILLED.reason)
    assert record.ended_at is not None


def test_folder_that_became_a_link_is_not_entered(
    bench: JobBench, run_id: str, work: RunFolder, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "events.jsonl").write_bytes(success(run_id))
    shutil.rmtree(work.path)
    work.path.symlink_to(tmp_path / "elsewhere")

    assert collected(bench, run_id).status is RunStatus.LOST


def test_folder_that_is_gone_leaves_a_lost_run(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    shutil.rmtree(work.path)

    record = collected(bench, run_id)

    assert (record.status, record.reason) == (RunStatus.LOST, KILLED.reason)
    assert record.parameters == {"days": 3}


@pytest.mark.parametrize(
    "kind", ["link", "linked folder", "pipe", "folder", "hole", "other content", "missing"]
)
def test_artifact_that_is_not_what_the_run_says_is_not_kept(
    bench: JobBench, run_id: str, work: RunFolder, secret: Path, kind: str
) -> None:
    claimed = artifact(SECRET, "shadow.csv")
    place = work.artifacts / claimed.sha256
    if kind == "linked folder":
        elsewhere = secret.parent / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / claimed.sha256).write_bytes(SECRET)
        work.artifacts.symlink_to(elsewhere)
    else:
        work.artifacts.mkdir()
    if kind == "link":
        place.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "hole":
        with place.open("wb") as stream:
            stream.truncate(10**12)
    elif kind == "other content":
        place.write_bytes(b"other")
    put_after = b"a,b"
    if kind != "linked folder":
        put(work, put_after)
    work.events.write_bytes(success(run_id, claimed, artifact(put_after)))

    record = collected(bench, run_id)

    assert record.status is RunStatus.SUCCEEDED
    kept = [] if kind == "linked folder" else ["out.csv"]
    assert [item.name for item in record.artifacts] == kept
    assert SECRET not in stored(bench)
    assert "could not be kept" in record.notes[-1]
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize("claim", ["../request.json", "..", "", "A" * 64, "0" * 63, "x\0y"])
def test_artifact_whose_hash_is_none_is_not_looked_for(
    bench: JobBench, run_id: str, work: RunFolder, claim: str
) -> None:
    work.events.write_bytes(success(run_id, artifact(sha256=claim)))

    record = collected(bench, run_id)

    assert record.artifacts == ()


def test_content_of_another_project_is_not_had_by_its_hash(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    others = bench.workspace.blobs.put_bytes(b"salaries")
    work.events.write_bytes(success(run_id, artifact(b"salaries", "mine.csv")))

    record = collected(bench, run_id)

    assert others.sha256 not in {item.sha256 for item in record.artifacts}


def test_artifacts_too_large_together_are_left_out(
    bench: JobBench, run_id: str, work: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nb2prod.execution.artifacts.MAX_ARTIFACTS_BYTES", 5)
    put(work, b"abc")
    put(work, b"defg")
    put(work, b"h")
    claims = [artifact(content, f"{content.decode()}.csv") for content in (b"abc", b"defg", b"h")]
    work.events.write_bytes(success(run_id, *claims))

    record = collected(bench, run_id)

    assert [item.name for item in record.artifacts] == ["abc.csv", "h.csv"]
    assert record.notes[-1].startswith("1 artifact of the run could not be kept")


def test_request_and_version_that_the_run_rewrote_change_nothing(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    request = json.loads(work.request.read_bytes())
    request |= {"parameters": {"days": 99}, "requested_by": "olga", "pipeline": "other"}
    work.request.write_text(json.dumps(request))
    work.version.write_text("{}")
    work.notebook.write_text(json.dumps({"cells": [], "metadata": {}}))
    work.events.write_bytes(success(run_id))

    record = collected(bench, run_id)

    assert (record.pipeline, record.requested_by) == ("train", "ada")
    assert record.parameters == {"days": 3}
    notebook = json.loads(bench.workspace.blobs.get(record.sources["executed"]))
    assert [cell["cell_type"] for cell in notebook["cells"]] == ["markdown", *["code"] * 3]


def test_success_that_a_killed_run_claims_is_its_own_affair_and_is_noted(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    log = success(run_id).splitlines(keepends=True)
    work.events.write_bytes(b"".join(log[:-1]))

    record = collected(bench, run_id)

    assert record.status is RunStatus.SUCCEEDED
    assert record.notes == ("The run's worker ended before it had gathered all results.",)


def test_log_without_an_end_gets_the_executors_and_the_running_cell(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    work.events.write_bytes(b"".join(success(run_id).splitlines(keepends=True)[:3]))

    record = collected(bench, run_id)

    assert (record.status, record.reason) == (
        RunStatus.LOST,
        "The run's worker was ended by SIGKILL. Cell 4 was running.",
    )
    statuses = [cell.status for cell in record.cells]
    assert statuses == [CellStatus.NOT_RUN, CellStatus.NOT_RUN, CellStatus.LOST]
    assert "3" in bench.log(record)


def raw(**content: object) -> bytes:
    return json.dumps({"at": now().isoformat(), **content}).encode() + b"\n"


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def shown(data: object, **changes: object) -> bytes:
    output = {"output_type": "display_data", "data": data, "metadata": {}, **changes}
    return raw(kind="output_added", number=4, output=output)


MALFORMED = {
    "no JSON": b"garbage\n",
    "no UTF-8": b"\xff\xfe\n",
    "no object": b"[1, 2]\n",
    "unknown kind": raw(kind="promoted"),
    "a part is missing": raw(kind="cell_started"),
    "a cell that is not there": raw(kind="cell_ended", number=99, status="succeeded"),
    "a markdown cell": raw(kind="output_added", number=1, output=stream("x")),
    "a cell far away": raw(kind="outputs_cleared", number=10**30, is_waiting=False),
    "too long a number": b'{"kind": "noted", "at": ' + b"9" * 10_000 + b"}\n",
    "a time without a zone": b'{"kind": "noted", "at": "2026-01-01T00:00:00", "text": "x"}\n',
    "no time": b'{"kind": "noted", "at": "never", "text": "x"}\n',
    "nested too deeply to be read": b'{"kind": ' + b"[" * 100_000 + b"\n",
    "nested too deeply to be copied": shown({"application/json": deep(400)}),
    "an output of no kind": raw(kind="output_added", number=4, output={"output_type": "x"}),
    "data that is a list": shown([1]),
    "text that is a number": shown({"text/plain": 1}),
    "metadata that is a text": shown({}, metadata="x"),
    "a stream of no name": raw(kind="output_added", number=4, output=stream("x", "stdin")),
    "printed numbers": raw(kind="output_added", number=4, output={**stream(""), "text": [1]}),
    "a traceback of numbers": raw(
        kind="output_added",
        number=4,
        output={"output_type": "error", "ename": "E", "evalue": "", "traceback": [1]},
    ),
    "a widget of numbers": raw(kind="widget_changed", model_id="m", state=[1]),
    "a widget's broken buffer": raw(
        kind="widget_changed", model_id="m", state={}, buffers=[{"data": 1, "path": []}]
    ),
    "an end that is none": raw(kind="run_ended", status="running", reason=""),
    "another run": raw(kind="run_started", run_id="zzzz", reference="x", code_cells=1),
    "a file of no hash": raw(
        kind="files_settled",
        is_complete=True,
        files=[{"path": "a", "access": "read", "sha256": "<script>", "size_bytes": 1}],
    ),
    "an MLflow run of no id": raw(kind="tracking_started", mlflow_run_id="../../x"),
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_event_is_left_out_and_the_others_count(
    bench: JobBench, run_id: str, work: RunFolder, line: bytes
) -> None:
    first, *rest = success(run_id, metrics={"mape": 4.1}).splitlines(keepends=True)
    work.events.write_bytes(first + line + b"".join(rest) + line[:-1])

    record = collected(bench, run_id)

    assert (record.status, record.metrics) == (RunStatus.SUCCEEDED, {"mape": 4.1})
    assert record.notes == ("1 line of the run's log could not be read.",)
    assert "3" in bench.log(record)


def write(work: RunFolder, *events: Event) -> None:
    work.events.write_bytes(b"".join(map(encode, events)))


def test_times_and_texts_are_cut_to_what_they_can_be(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    early, late = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    write(
        work,
        RunStarted(at=early, run_id=run_id, reference="train@v1", code_cells=3),
        *(Noted(at=late, text="x" * 50_000) for _ in range(300)),
        RunEnded(at=late, status=RunStatus.FAILED, reason="y" * 50_000),
        RunEnded(at=late, status=RunStatus.SUCCEEDED, reason=""),
        ResultsKept(
            at=late,
            metrics={"a": float("nan"), "b": float("inf"), "c" * 251: 1.0, "": 2.0, "d": 3.0},
            artifacts=(),
        ),
    )
    # JSON can hold halves of characters; our own writer never writes any.
    log = work.events.read_text()
    assert '"d": 3.0' in log
    work.events.write_text(log.replace('"d": 3.0', '"d": 3.0, "e\\ud800": 1.0'))

    record = collected(bench, run_id)

    assert record.started_at == record.created_at
    assert record.ended_at is not None
    assert record.created_at <= record.ended_at <= now()
    assert record.status is RunStatus.FAILED
    assert len(record.reason) == evidence.MAX_TEXT
    assert record.metrics == {"d": 3.0}
    assert len(record.notes) <= evidence.MAX_NOTES + 2
    assert {len(note) for note in record.notes[: evidence.MAX_NOTES]} == {evidence.MAX_TEXT}


def test_displays_of_one_id_are_not_copied_without_end(
    bench: JobBench, run_id: str, work: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MAX_COPIED_BYTES", 100_000)
    output = {"output_type": "display_data", "data": {"text/plain": "x" * 900}, "metadata": {}}
    write(
        work,
        *(OutputAdded(at=now(), number=4, output=output, display_id="d") for _ in range(100)),
        RunEnded(at=now(), status=RunStatus.SUCCEEDED, reason=""),
        ResultsKept(at=now(), metrics={}, artifacts=()),
    )

    record = collected(bench, run_id)

    notebook = json.loads(bench.workspace.blobs.get(record.sources["executed"]))
    # One, two, three … copies of about a kilobyte each.
    assert 10 <= len(notebook["cells"][3]["outputs"]) <= 14
    assert "lines of the run's log could not be read" in record.notes[0]


def test_kernel_that_died_of_memory_names_the_limit(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    write(work, RunEnded(at=now(), status=RunStatus.KERNEL_DIED, reason="It died."))
    verdict = Verdict(status=RunStatus.KERNEL_DIED, remark="Its limit was reached.")

    record = collect(bench.workspace, run_id, verdict=verdict)

    assert record.reason == "It died. Its limit was reached."


def test_files_and_mlflow_run_of_a_well_formed_log_are_taken(
    bench: JobBench, run_id: str, work: RunFolder
) -> None:
    use = FileUse(path="a.csv", access=FileAccess.READ, sha256=sha256(b"a"), size_bytes=1)
    write(
        work,
        TrackingStarted(at=now(), mlflow_run_id="0" * 32),
        RunEnded(at=now(), status=RunStatus.SUCCEEDED, reason=""),
        FilesSettled(at=now(), files=(use,), is_complete=True),
        ResultsKept(at=now(), metrics={}, artifacts=()),
    )

    record = collected(bench, run_id)

    assert (record.files, record.is_lineage_complete) == ((use,), True)
    assert record.mlflow_run_id == "0" * 32
