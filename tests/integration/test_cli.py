"""The commands, as a person types them: real processes, repositories and kernels."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nb2prod.store.git import Repository
from tests.helpers.notebooks import code, markdown, parameters, write_notebook

COMMAND = [sys.executable, "-m", "nb2prod.cli"]

CELLS = (
    markdown("# Seats of a market"),
    parameters('market: str = "JFK-DL"  # origin and carrier\ndays: int = 2'),
    markdown("## Counting"),
    code("seats = {'JFK-DL': 120, 'EWR-UA': 150}[market] * days\nprint(market, seats)"),
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository.create(tmp_path / "seats")
    monkeypatch.chdir(repository.root)
    write_notebook(repository.root / "train.ipynb", *CELLS)
    return repository


def nb2prod(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def hear_interrupts() -> None:
    """Let Ctrl-C act as it does in a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def answer_of(*arguments: str) -> Any:
    """What a command prints as JSON."""
    done = nb2prod(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_promote_run_and_lists_tell_one_story(repository: Repository) -> None:
    promoted = nb2prod("promote", "train.ipynb", "--yes")
    assert promoted.returncode == 0, promoted.stderr
    assert "origin and carrier" in promoted.stdout
    assert "train@v1" in promoted.stdout

    ran = nb2prod("run", "train@v1", "-p", "market=EWR-UA", "-p", "days=3")
    assert ran.returncode == 0, ran.stderr
    assert "EWR-UA 450" in ran.stdout
    assert "Counting" in ran.stdout
    (record,) = answer_of("runs")
    assert f"/services/workspace/pages/{record['id']}" in ran.stdout

    assert record["status"] == "succeeded"
    assert record["parameters"] == {"market": "EWR-UA", "days": 3}
    assert record["requested_by"] == "ada"
    assert [item["reference"] for item in answer_of("versions")] == ["train@v1"]
    assert answer_of("show", record["id"]) == record
    assert answer_of("show", "train@v1")["reference"] == "train@v1"
    pages = answer_of("pages", "counting")
    assert [card["run_id"] for card in pages["items"]] == [record["id"]]
    assert answer_of("pages", "nosuchword")["total"] == 0
    for command in ("versions", "runs", "pages", f"show {record['id']}", "show train"):
        shown = nb2prod(*command.split())
        assert shown.returncode == 0, shown.stderr
        assert "train" in shown.stdout


def test_diff_shows_what_changed(repository: Repository) -> None:
    assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0
    write_notebook(repository.root / "train.ipynb", *CELLS[:3], code("print(market, days + 1)"))
    assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0

    shown = nb2prod("diff", "train@v1", "train@v2")

    assert "+print(market, days + 1)" in shown.stdout
    assert answer_of("diff", "train@v1", "train@v2")["parameters"] == []


def test_promote_asks_and_no_makes_nothing(repository: Repository) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "promote", "train.ipynb"],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(follower)
    os.write(leader, b"n\n")
    printed, errors = process.communicate(timeout=60)
    os.close(leader)

    assert "Promote as train@v1?" in printed
    assert "Nothing was promoted" in errors
    assert process.returncode == 4
    assert repository.head() is None


def test_promote_with_nobody_to_ask_says_so(repository: Repository) -> None:
    done = nb2prod("promote", "train.ipynb")

    assert done.returncode == 4
    assert "--yes" in done.stderr
    assert repository.head() is None


def test_promote_that_is_blocked_makes_nothing_and_says_what_to_do(
    repository: Repository,
) -> None:
    write_notebook(repository.root / "bad.ipynb", parameters("n = 1"), code("print(later + n)"))

    done = nb2prod("promote", "bad.ipynb", "--yes")

    assert done.returncode == 4
    assert "cell 2" in done.stdout
    assert "later" in done.stdout
    assert "Nothing was promoted" in done.stderr
    assert repository.head() is None


def test_run_that_fails_has_exit_status_1_and_a_page(repository: Repository) -> None:
    assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0

    done = nb2prod("run", "train", "-p", "market=ZZZ-ZZ", "--json")

    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "run_unsuccessful"
    result = json.loads(done.stdout)
    assert result["run"]["status"] == "failed"
    assert "KeyError" in result["run"]["reason"]
    assert answer_of("pages", "zzz")["total"] == 1


def test_run_writes_the_executed_notebook_where_asked(repository: Repository) -> None:
    assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0

    done = nb2prod("run", "train", "--output", "out/executed.ipynb")

    assert done.returncode == 0, done.stderr
    executed = json.loads((repository.root / "out/executed.ipynb").read_text())
    assert "JFK-DL 240" in json.dumps(executed["cells"])


def test_run_whose_reader_leaves_goes_on_to_its_end(repository: Repository) -> None:
    write_notebook(
        repository.root / "loud.ipynb",
        parameters("n = 1"),
        code("import time\nfor line in range(300):\n    print('line', line * n, flush=True)"),
        code("time.sleep(1)\nprint('the end')"),
    )
    assert nb2prod("promote", "loud.ipynb", "--yes").returncode == 0

    shell = f"{' '.join(COMMAND)} run loud | head -n 3"
    subprocess.run(["bash", "-c", shell], check=True, capture_output=True, timeout=120)

    (record,) = answer_of("runs", "loud")
    assert (record["status"], record["reason"]) == ("succeeded", "")


def test_run_in_another_environment_and_with_other_code_says_so(repository: Repository) -> None:
    # The version keeps no copy of a module that looks where it lies.
    (repository.root / "helper.py").write_text("HERE = __file__\nVALUE = 1\n")
    repository.git("add", "helper.py")
    repository.git("commit", "--quiet", "--message", "Add a helper")
    write_notebook(
        repository.root / "uses.ipynb",
        parameters("n = 1"),
        code("import helper\nprint(helper.VALUE * n)"),
    )
    assert nb2prod("promote", "uses.ipynb", "--yes").returncode == 0
    assert nb2prod("run", "uses").returncode == 0
    (first,) = answer_of("runs", "uses")
    assert first["notes"] == []

    (repository.root / "helper.py").write_text("HERE = __file__\nVALUE = 22\n")
    lock = repository.root / "pipelines/uses/requirements.lock"
    lock.write_text(re.sub(r"(?m)^papermill==.*$", "papermill==0.1", lock.read_text()))
    repository.git("add", "pipelines")
    repository.git("commit", "--quiet", "--message", "As if it had been promoted elsewhere")
    repository.git("tag", "uses/v2")
    ran = nb2prod("run", "uses@v2")

    assert ran.returncode == 0, ran.stderr
    assert "papermill 0.1 →" in ran.stdout
    second = answer_of("runs", "uses")[0]
    environment, code_of_project = sorted(second["notes"], reverse=True)
    assert environment.startswith("The environment is not that of the version's lock: papermill")
    assert code_of_project.endswith("helper.py.")


def test_run_that_is_interrupted_is_cancelled_and_leaves_no_kernel(repository: Repository) -> None:
    write_notebook(
        repository.root / "slow.ipynb",
        parameters("n = 1"),
        code("import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)"),
    )
    assert nb2prod("promote", "slow.ipynb", "--yes").returncode == 0
    with subprocess.Popen(
        [*COMMAND, "run", "slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs deaf to Ctrl-C, and these tests may be one.
        preexec_fn=hear_interrupts,
    ) as process:
        try:
            assert process.stdout is not None
            pid = next(int(line.split()[-1]) for line in process.stdout if "pid" in line)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 1
    assert "cancelled" in errors
    assert [record["status"] for record in answer_of("runs", "slow")] == ["cancelled"]
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("run train -p market", 2, "NAME=VALUE"),
        ("run train -p days=2 -p days=3", 2, "twice"),
        ("run train -p days=two", 2, "days"),
        ("run train -p markt=x", 2, "market"),
        ("run train@v9", 3, "newest"),
        ("run nothing", 3, "it has train"),
        ("show nothing", 3, "it has train"),
        ("versions nothing", 3, "it has train"),
        ("promote absent.ipynb", 2, "absent.ipynb"),
        ("promote absent.ipynb --quiet", 2, "--yes"),
        ("project add bob --project nothing", 3, "no project"),
        ("project create Bad", 2, "1 to 30"),
        ("open", 4, "nb2prod serve"),
        ("runs --limit 0", 2, "limit"),
        ("nonsense", 2, "nonsense"),
        ("run", 2, "VERSION"),
    ],
)
def test_bad_input_gets_a_sentence_and_its_status(
    repository: Repository, arguments: str, status: int, words: str
) -> None:
    if "train" in arguments or "nothing" in arguments:
        assert nb2prod("promote", "train.ipynb", "--yes").returncode == 0

    done = nb2prod(*arguments.split())

    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_command_outside_of_a_repository_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = nb2prod("versions")

    assert done.returncode == 3
    assert "git init" in done.stderr


def test_home_that_cannot_be_made_is_a_sentence(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NB2PROD_HOME", str(tmp_path / "file" / "home"))

    done = nb2prod("runs")

    assert done.returncode == 5
    assert "NB2PROD_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_project_commands_make_list_and_add(tmp_path: Path, repository: Repository) -> None:
    made = answer_of("project", "create", "other", "--folder", str(tmp_path / "other"))
    added = answer_of("project", "add", "bob", "--role", "viewer", "--project", "other")

    listed = {item["project"]["name"]: item["members"] for item in answer_of("project", "list")}

    assert made["name"] == "other"
    assert (tmp_path / "other" / ".git").is_dir()
    assert added["role"] == "viewer"
    assert [(member["person"], member["role"]) for member in listed["other"]] == [
        ("ada", "owner"),
        ("bob", "viewer"),
    ]


def test_project_in_the_workspace_is_founded_as_the_hub_does(tmp_path: Path) -> None:
    created = ("project", "create", "seats", "--in-workspace", "--title", "Seat demand")
    made = answer_of(*created, "--owner", "owen")

    home = tmp_path / "home"
    assert (made["title"], made["root"]) == ("Seat demand", str(home / "projects/seats"))
    assert Repository(Path(made["repository"])).is_bare()
    assert answer_of("project", "list") == []
    (listed,) = answer_of("project", "list", "--all")
    assert [(item["person"], item["role"]) for item in listed["members"]] == [("owen", "owner")]


def test_project_members_are_listed_and_removed(tmp_path: Path) -> None:
    assert answer_of("project", "create", "seats", "--in-workspace")["name"] == "seats"
    answer_of("project", "add", "bob", "--project", "seats")

    def people() -> list[str]:
        return [item["person"] for item in answer_of("project", "members", "--project", "seats")]

    assert people() == ["ada", "bob"]
    assert answer_of("project", "remove", "bob", "--project", "seats")["was_member"]
    assert people() == ["ada"]
    assert not answer_of("project", "remove", "bob", "--project", "seats")["was_member"]
    last = nb2prod("project", "remove", "ada", "--project", "seats")
    assert (last.returncode, "last owner" in last.stderr) == (4, True)


def test_project_gets_another_title_and_image_and_the_default_back(tmp_path: Path) -> None:
    answer_of("project", "create", "seats", "--in-workspace", "--title", "Seats")
    setting = ("project", "set", "--project", "seats")

    changed = answer_of(*setting, "--image", "team/seats:7")
    assert (changed["title"], changed["image"]) == ("Seats", "team/seats:7")
    changed = answer_of(*setting, "--image", "", "--title", "Seat demand")
    assert (changed["title"], changed["image"]) == ("Seat demand", None)
    nothing = nb2prod(*setting)
    assert (nothing.returncode, "--title or --image" in nothing.stderr) == (2, True)


def test_project_of_others_is_changed_as_administrator_only(tmp_path: Path) -> None:
    answer_of("project", "create", "seats", "--in-workspace", "--owner", "owen")
    adding = ("project", "add", "bob", "--role", "owner", "--project", "seats")

    refused = nb2prod(*adding)
    assert (refused.returncode, "no project" in refused.stderr) == (3, True)
    assert answer_of(*adding, "--as-administrator")["role"] == "owner"
    members = answer_of("project", "members", "--project", "seats", "--as-administrator")
    assert [item["person"] for item in members] == ["bob", "owen"]
    removing = ("project", "remove", "owen", "--project", "seats", "--as-administrator")
    assert answer_of(*removing)["was_member"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--in-workspace", "--folder", "x"), "give no --folder"),
        (("--title", "x"), "go with --in-workspace"),
        (("--owner", "x"), "go with --in-workspace"),
        (("--in-workspace", "--owner", "a/b"), "no name of a person"),
    ],
)
def test_project_create_with_options_that_do_not_fit_is_refused(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = nb2prod("project", "create", "seats", *options)

    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "home/projects").exists()
