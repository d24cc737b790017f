"""From a saved notebook to a version and a run, through the server half to a real service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.lab import TOKEN, spawned, started_lab
from tests.helpers.notebooks import code
from tests.integration.lab.conftest import PERSON, PROJECT, LabInProject, make_root, usual_cells

VISIT = {
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


def ask(in_project: LabInProject, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    """Ask the API; a body is posted."""
    method = "GET" if body is None else "POST"
    return in_project.lab.ask(method, f"nb2prod/api/{path}", json=body)


def kernel_folders(parent: int) -> set[Path]:
    """Return the folders that the kernels of a server run in."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Others on this machine come and go.
        with suppress(FileNotFoundError, ProcessLookupError):
            is_child = f"PPid:\t{parent}\n" in (process / "status").read_text()
            if is_child and b"ipykernel" in (process / "cmdline").read_bytes():
                found.add((process / "cwd").resolve())
    return found


def promote(in_project: LabInProject, path: str) -> dict[str, Any]:
    """Check and promote a saved notebook; gives the version."""
    proposal = ask(in_project, "proposals", {"path": path}).json()
    answer = ask(in_project, "versions", {"path": path, "digest": proposal["digest"]})
    assert answer.is_success, answer.text
    version: dict[str, Any] = answer.json()
    return version


@pytest.fixture
def as_stranger(in_project: LabInProject) -> Iterator[None]:
    """Let the server's token be that of somebody who is no member."""
    known = in_project.login[TOKEN]
    in_project.login[TOKEN] = replace(known, person="nobody")
    yield
    in_project.login[TOKEN] = known


def test_context_says_who_is_where_with_which_role(in_project: LabInProject) -> None:
    assert ask(in_project, "context").json() == {
        "is_available": True,
        "project": PROJECT,
        "title": "Seat demand",
        "role": "editor",
        "person": PERSON,
        "public_url": "",
    }


def test_notebook_is_checked_promoted_and_run(in_project: LabInProject) -> None:
    in_project.save("project/train.ipynb", *usual_cells())
    version = promote(in_project, "project/train.ipynb")
    assert (version["reference"], version["author"]) == ("train@v1", PERSON)
    listed = ask(in_project, "versions?pipeline=train").json()["items"]
    assert [item["reference"] for item in listed] == ["train@v1"]
    detail = ask(in_project, "versions/train/1").json()
    assert detail["parameters"][0]["name"] == "alpha"
    answer = ask(
        in_project, "runs", {"pipeline": "train", "version": 1, "parameters": {"alpha": 1}}
    )
    assert answer.status_code == 201
    run = answer.json()
    assert (run["status"], run["parameters"]) == ("queued", {"alpha": 1.0})
    assert ask(in_project, f"runs/{run['id']}").json()["id"] == run["id"]
    assert ask(in_project, f"runs/{run['id']}/events").json()["status"] == "queued"
    assert ask(in_project, "runs?pipeline=train").json()["items"][0]["id"] == run["id"]


def test_notebook_that_changed_on_disk_after_the_save_is_not_checked(
    in_project: LabInProject,
) -> None:
    in_project.save("project/shared.ipynb", *usual_cells())
    model = in_project.lab.ask("GET", "api/contents/project/shared.ipynb?hash=1").json()
    body = {"path": "project/shared.ipynb", "hash": model["hash"]}
    assert ask(in_project, "proposals", body).is_success
    in_project.save("project/shared.ipynb", *usual_cells("print('colleague')"))
    answer = ask(in_project, "proposals", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_stale")


def test_notebook_that_changed_after_the_check_is_not_promoted(in_project: LabInProject) -> None:
    in_project.save("project/late.ipynb", *usual_cells())
    proposal = ask(in_project, "proposals", {"path": "project/late.ipynb"}).json()
    in_project.save("project/late.ipynb", *usual_cells("print('later')"))
    body = {"path": "project/late.ipynb", "digest": proposal["digest"]}
    answer = ask(in_project, "versions", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "proposal_stale")
    assert ask(in_project, "versions?pipeline=late").json().get("items", []) == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("proposals", {"path": "elsewhere.ipynb"}, 422, "invalid_input"),
        ("proposals", {"path": "project/gone.ipynb"}, 404, "not_found"),
        ("proposals", {"path": "project/../../etc/passwd"}, 404, "not_found"),
        ("proposals", {"path": "project/x.ipynb", "notebook": {}}, 422, "invalid_input"),
        ("runs", {"pipeline": "nowhere", "parameters": {}}, 404, "pipeline_not_found"),
        ("runs", {"parameters": {}}, 422, "invalid_input"),
        ("versions/nowhere/1", None, 404, None),
        ("runs/abcdefgh2345", None, 404, "run_not_found"),
    ],
)
def test_request_that_cant_be_met_answers_in_the_one_shape(
    in_project: LabInProject, path: str, body: dict[str, Any] | None, status: int, code: str | None
) -> None:
    answer = ask(in_project, path, body)
    assert answer.status_code == status, answer.text
    assert {"code", "message", "detail"} == answer.json().keys()
    assert code is None or answer.json()["code"] == code


def test_parameter_that_is_refused_is_named(in_project: LabInProject) -> None:
    in_project.save("project/typed.ipynb", *usual_cells())
    promote(in_project, "project/typed.ipynb")
    answer = ask(in_project, "runs", {"pipeline": "typed", "parameters": {"alpha": "much"}})
    assert answer.status_code == 422
    assert answer.json()["detail"]["parameter"] == "alpha"


@pytest.mark.usefixtures("as_stranger")
def test_context_of_someone_who_is_no_member_any_more_is_the_services_refusal(
    in_project: LabInProject,
) -> None:
    answer = ask(in_project, "context")
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


def test_opening_from_a_page_of_ours_writes_a_new_file_each_time(in_project: LabInProject) -> None:
    in_project.save("project/open.ipynb", *usual_cells())
    promote(in_project, "project/open.ipynb")
    visits = [
        in_project.lab.ask("GET", "nb2prod/open?pipeline=open&version=1", headers=VISIT)
        for _ in range(2)
    ]
    assert [visit.status_code for visit in visits] == [303, 303]
    assert [visit.headers["Location"] for visit in visits] == [
        "/lab/tree/private/open%40v1.ipynb",
        "/lab/tree/private/open%40v1%20%282%29.ipynb",
    ]
    private = in_project.lab.root / "private"
    first = (private / "open@v1.ipynb").read_text()
    assert "how strict" in first
    assert (private / "open@v1 (2).ipynb").read_text() == first


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**VISIT, "Sec-Fetch-Site": "cross-site"},
        {**VISIT, "Sec-Fetch-Site": "none"},
        {**VISIT, "Sec-Fetch-Dest": "iframe"},
        {**VISIT, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {**VISIT, "Sec-Purpose": "prefetch"},
    ],
    ids=["unknown", "cross-site", "typed", "frame", "image", "prefetch"],
)
def test_opening_from_elsewhere_asks_before_it_writes(
    in_project: LabInProject, headers: dict[str, str]
) -> None:
    in_project.save("project/asked.ipynb", *usual_cells())
    if not ask(in_project, "versions?pipeline=asked").json().get("items"):
        promote(in_project, "project/asked.ipynb")
    answer = in_project.lab.ask("GET", "nb2prod/open?pipeline=asked&version=1", headers=headers)
    assert answer.status_code == 200
    assert '<form method="post">' in answer.text
    assert 'name="_xsrf"' in answer.text
    assert not list((in_project.lab.root / "private").glob("asked*"))


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("pipeline=nowhere&version=1", 404, "nowhere"),
        ("pipeline=open&version=99", 404, "99"),
        ("pipeline=open&version=../1", 422, "no number"),
        ("pipeline=%3Cb%3E&version=1", 422, "&lt;b&gt;"),
        ("pipeline=open", 400, "version"),
    ],
)
def test_opening_what_is_not_there_says_so_on_a_page(
    in_project: LabInProject, query: str, status: int, sentence: str
) -> None:
    answer = in_project.lab.ask("GET", f"nb2prod/open?{query}", headers=VISIT)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert sentence in answer.text
    assert "<b>" not in answer.text


def test_kernel_of_a_private_notebook_runs_in_the_project(in_project: LabInProject) -> None:
    in_project.save("private/draft.ipynb", code("1"))
    body = {
        "path": "private/draft.ipynb",
        "name": "draft.ipynb",
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    session = in_project.lab.ask("POST", "api/sessions", json=body)
    assert session.status_code == 201, session.text
    try:
        assert kernel_folders(in_project.lab.pid) == {in_project.project.root}
    finally:
        in_project.lab.ask("DELETE", f"api/sessions/{session.json()['id']}")


def test_server_without_a_workspace_names_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    root = make_root(tmp_path / "root", tmp_path / "files")
    with started_lab(root, {}) as lab:
        context = lab.ask("GET", "nb2prod/api/context").json()
        runs = lab.ask("GET", "nb2prod/api/runs?pipeline=train")
    assert context["is_available"] is False
    assert "nb2prod promote" in context["message"]
    assert (runs.status_code, runs.json()["code"]) == (503, "service_unreachable")


def test_server_whose_service_is_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    root = make_root(tmp_path / "root", tmp_path / "files")
    # Nothing listens on the discard port.
    with started_lab(root, spawned("http://127.0.0.1:9", PROJECT, root)) as lab:
        answer = lab.ask("GET", "nb2prod/api/context")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unreachable")
