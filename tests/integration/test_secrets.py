"""Secrets of a project: kept, given to the runs that name them, and left nowhere else."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select, update

from nb2prod.errors import (
    ProjectNotFound,
    RoleInsufficient,
    SecretInvalid,
    SecretNotFound,
    StorageUnusable,
)
from nb2prod.execution.models import RunStatus
from nb2prod.jobs.dispatcher import Dispatcher
from nb2prod.knowledge.pages import get_page
from nb2prod.registry.models import RunSettings
from nb2prod.store.schema import project_secrets, runs
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.secret_keys import key_file
from nb2prod.workspace.secrets import (
    known_values,
    list_secrets,
    read_secrets,
    remove_secret,
    rotate,
    set_secret,
)
from nb2prod.workspace.workspace import Workspace
from tests.helpers.jobs import JobBench
from tests.helpers.notebooks import code, parameters

NAME, VALUE = "DB_PASSWORD", "correct horse 'battery' \"staple\""
# A cell for each way in which a value gets out of a kernel.
LEAKS = (
    "import os, sys, logging, json, base64; password = os.environ['DB_PASSWORD']",
    "print(password); print(password, file=sys.stderr); logging.warning('with %s', password)",
    "for character in password: print(character, end='', flush=True)\nprint()",
    "print(json.dumps({'p': password}), repr([password]))",
    "print(base64.b64encode(password.encode()).decode(), password.encode().hex())",
    "from IPython.display import HTML, JSON, display\ndisplay(HTML(f'<b>{password}</b>'))",
    "display(JSON({'p': password})); display({'text/plain': password}, raw=True)",
    "password",
    "os.write(2, password.encode())",
    "open('notes.txt', 'w').write(password); open('clean.csv', 'w').write('a,b')",
    "import mlflow; mlflow.log_param('password', password)",
    "raise ValueError(password)",
)


@pytest.fixture
def project(workspace: Workspace) -> Project:
    """A project of ada's, with edda as an editor."""
    found = found_project(workspace, "seats", owner="ada")
    add_member(workspace, "seats", "edda", Role.EDITOR, person="ada")
    return found


def secret_row(workspace: Workspace) -> bytes:
    with workspace.database.read() as connection:
        content = connection.scalars(select(project_secrets.c.ciphertext)).one()
    return bytes(content)


def test_secret_is_kept_encrypted_and_read_by_name(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")

    assert read_secrets(workspace, project, [NAME, NAME]) == {NAME: VALUE}
    (entry,) = list_secrets(workspace, "seats", person="edda")
    assert (entry.name, entry.set_by) == (NAME, "ada")
    assert VALUE not in repr(entry)
    assert VALUE.encode() not in secret_row(workspace)
    for path in workspace.settings.home.rglob("*"):
        assert not path.is_file() or VALUE.encode() not in path.read_bytes(), path
    assert key_file(workspace.settings.home).stat().st_mode & 0o777 == 0o600


def test_secret_that_is_set_again_has_the_new_value(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    set_secret(workspace, "seats", NAME, "another value", person="ada")

    assert read_secrets(workspace, project, [NAME]) == {NAME: "another value"}
    assert len(list_secrets(workspace, "seats", person="ada")) == 1


def test_secret_that_is_removed_is_gone(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    remove_secret(workspace, "seats", NAME, person="ada")

    assert list_secrets(workspace, "seats", person="ada") == ()
    with pytest.raises(SecretNotFound):
        remove_secret(workspace, "seats", NAME, person="ada")
    with pytest.raises(SecretNotFound, match=r"An owner can set it \(ada\)"):
        read_secrets(workspace, project, [NAME])


def test_only_owners_set_and_remove(workspace: Workspace, project: Project) -> None:
    for person, refusal in (("edda", RoleInsufficient), ("otto", ProjectNotFound)):
        with pytest.raises(refusal):
            set_secret(workspace, "seats", NAME, VALUE, person=person)
        with pytest.raises(refusal):
            remove_secret(workspace, "seats", NAME, person=person)
    with pytest.raises(ProjectNotFound):
        list_secrets(workspace, "seats", person="otto")
    with pytest.raises(SecretInvalid):
        set_secret(workspace, "seats", "PATH", VALUE, person="ada")
    assert list_secrets(workspace, "seats", person="ada") == ()


def test_secrets_of_another_project_are_not_given(workspace: Workspace, project: Project) -> None:
    other = found_project(workspace, "fares", owner="ada")
    set_secret(workspace, "fares", NAME, VALUE, person="ada")

    with pytest.raises(SecretNotFound):
        read_secrets(workspace, project, [NAME])
    assert known_values(workspace, project.id) == {}
    assert known_values(workspace, other.id) == {NAME: VALUE}


def test_value_that_is_moved_to_another_project_does_not_open(
    workspace: Workspace, project: Project
) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    other = found_project(workspace, "fares", owner="ada")
    with workspace.database.write() as connection:
        connection.execute(update(project_secrets).values(project_id=other.id))

    with pytest.raises(StorageUnusable, match="can't be decrypted"):
        read_secrets(workspace, other, [NAME])


def test_new_key_leaves_all_values_readable(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    before, keys = secret_row(workspace), key_file(workspace.settings.home).read_bytes()

    assert rotate(workspace) == 1

    assert read_secrets(workspace, project, [NAME]) == {NAME: VALUE}
    assert secret_row(workspace) != before
    assert key_file(workspace.settings.home).read_bytes().split()[0] not in keys.split()


def test_key_that_is_lost_is_said_with_what_to_do(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    key_file(workspace.settings.home).unlink()

    with pytest.raises(StorageUnusable, match="Put that file back from a backup"):
        read_secrets(workspace, project, [NAME])

    set_secret(workspace, "seats", NAME, "set anew", person="ada")
    assert read_secrets(workspace, project, [NAME]) == {NAME: "set anew"}


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no keys"), (b"not base64!\n", "holds no keys")]
)
def test_key_file_that_is_none_is_said(
    workspace: Workspace, project: Project, content: bytes, said: str
) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    key_file(workspace.settings.home).write_bytes(content)

    with pytest.raises(StorageUnusable, match=said):
        read_secrets(workspace, project, [NAME])


def test_key_file_that_others_can_read_is_refused(workspace: Workspace, project: Project) -> None:
    set_secret(workspace, "seats", NAME, VALUE, person="ada")
    key_file(workspace.settings.home).chmod(0o644)

    with pytest.raises(StorageUnusable, match="chmod 600"):
        read_secrets(workspace, project, [NAME])


def test_run_gets_the_secrets_that_it_names_and_no_others(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    set_secret(bench.workspace, "seats", NAME, VALUE, person="ada")
    set_secret(bench.workspace, "seats", "OTHER_KEY", "quite another", person="ada")
    run_id = bench.request(
        code("import os, hashlib"),
        code("print(hashlib.sha256(os.environ['DB_PASSWORD'].encode()).hexdigest())"),
        code("print('OTHER_KEY' in os.environ)"),
        settings=RunSettings(secrets=(NAME,)),
    )

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.SUCCEEDED, record.reason
    assert hashlib.sha256(VALUE.encode()).hexdigest() in bench.log(record)
    assert "False" in bench.log(record)


def test_run_that_names_a_secret_which_is_not_there_says_who_can_set_it(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    run_id = bench.request(code("1"), settings=RunSettings(secrets=(NAME,)))

    record = bench.finish(dispatcher, run_id)

    assert record.status is RunStatus.FAILED
    assert "has none of that name. An owner can set it (ada)" in record.reason


def test_secret_stays_nowhere_whatever_a_run_does_with_it(
    bench: JobBench, dispatcher: Dispatcher
) -> None:
    set_secret(bench.workspace, "seats", NAME, VALUE, person="ada")
    run_id = bench.request(
        parameters("days: int = 2"), *map(code, LEAKS), settings=RunSettings(secrets=(NAME,))
    )

    record = bench.finish(dispatcher, run_id)
    bench.await_page(run_id)

    assert record.status is RunStatus.FAILED
    assert record.reason.endswith("ValueError: [secret DB_PASSWORD]")
    assert "[secret DB_PASSWORD]" in bench.log(record)
    assert "clean.csv" in [artifact.name for artifact in record.artifacts]
    assert "notes.txt" not in [artifact.name for artifact in record.artifacts]
    assert any("notes.txt" in note for note in record.notes)
    page = get_page(bench.workspace, run_id, person="ada")
    assert not forms_in(json.dumps(page.document.__dict__, default=str, ensure_ascii=False))
    with bench.workspace.database.read() as connection:
        row = connection.execute(select(runs).where(runs.c.id == run_id)).one()
    assert not forms_in(str(row))
    # What the notebook itself writes is in the project's folder, where this executor lets it work.
    own = bench.project.root
    for path in bench.workspace.settings.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(own):
            assert not forms_in(path.read_bytes().decode("latin-1")), path


def forms_in(text: str) -> list[str]:
    """The ways in which a text holds the value."""
    forms = [
        VALUE,
        VALUE.encode().hex(),
        base64.b64encode(VALUE.encode()).decode(),
        json.dumps(VALUE)[1:-1],
        repr(VALUE)[1:-1],
    ]
    return [form for form in forms if form in text]


def test_worker_keeps_no_secret_in_its_folder_or_command_line(
    bench: JobBench, dispatcher: Dispatcher, tmp_path: Path
) -> None:
    set_secret(bench.workspace, "seats", NAME, VALUE, person="ada")
    go = tmp_path / "go"
    run_id = bench.request(
        parameters("go: str = ''"),
        code("import os, time\nprint(os.environ['DB_PASSWORD'], flush=True)"),
        code("while not os.path.exists(go): time.sleep(0.05)"),
        values={"go": str(go)},
        settings=RunSettings(secrets=(NAME,)),
    )
    bench.reach_cell(dispatcher, run_id, 3)

    for path in bench.folder(run_id).path.rglob("*"):
        assert not path.is_file() or VALUE.encode() not in path.read_bytes(), path
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            assert VALUE.encode() not in (process / "cmdline").read_bytes()
    go.touch()

    assert bench.finish(dispatcher, run_id).status is RunStatus.SUCCEEDED
