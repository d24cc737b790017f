"""Bring what MLflow kept before there was a hub into the workspaces of its projects.

Without a hub, nb2prod names an experiment ``project/pipeline``, in MLflow's default workspace,
and gives it a folder ``mlflow/project/pipeline``. Behind the hub nobody sees that workspace. So
such an experiment becomes ``pipeline`` in the project's workspace, and its folder goes where
MLflow looks for files of that workspace. What is not certainly a project's own stays where it
is, unseen: other experiments, and models that were registered by name.

While no hub runs, a command's run goes into its project's workspace by itself, and says by path
where its files are (`nb2prod.execution.tracking_store`). They lie where MLflow keeps them, so
only the path has to become MLflow's own address.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text

from nb2prod.execution.tracking_store import workspace_folder
from nb2prod.workspace.mlflow_workspaces import workspace_name

log = logging.getLogger(__name__)

_FOUND = text(
    "SELECT experiment_id, name, artifact_location FROM experiments"
    " WHERE workspace = 'default' AND name LIKE '%/%' ORDER BY experiment_id"
)
_STRAY_RUNS = text(
    "SELECT count(*) FROM runs WHERE experiment_id = :id AND substr(artifact_uri, 1, :n) != :old"
)
_STRAY_MODELS = text(
    "SELECT count(*) FROM logged_models"
    " WHERE experiment_id = :id AND substr(artifact_location, 1, :n) != :old"
)
_TAKEN = text("SELECT count(*) FROM experiments WHERE workspace = :workspace AND name = :name")
_WORKSPACE = text("INSERT INTO workspaces (name) VALUES (:workspace)")
_HAS_WORKSPACE = text("SELECT count(*) FROM workspaces WHERE name = :workspace")
_MOVES = (
    text(
        "UPDATE experiments SET workspace = :workspace, name = :name, artifact_location = :new"
        " WHERE experiment_id = :id"
    ),
    text(
        "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, :n + 1)"
        " WHERE experiment_id = :id"
    ),
    text(
        "UPDATE logged_models SET artifact_location = :new || substr(artifact_location, :n + 1)"
        " WHERE experiment_id = :id"
    ),
)
_DIVIDED = text(
    "SELECT experiment_id, workspace FROM experiments WHERE workspace != 'default'"
    " ORDER BY experiment_id"
)
# A run that goes on finds its own files by path; the next start is for it.
_ADDRESSES = (
    text(
        "UPDATE experiments SET artifact_location = :new"
        " WHERE experiment_id = :id AND artifact_location = :old"
    ),
    text(
        "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, :n + 1)"
        " WHERE experiment_id = :id AND substr(artifact_uri, 1, :n + 1) = :old || '/'"
        " AND status != 'RUNNING'"
    ),
    text(
        "UPDATE logged_models SET artifact_location = :new || substr(artifact_location, :n + 1)"
        " WHERE experiment_id = :id AND substr(artifact_location, 1, :n + 1) = :old || '/'"
    ),
)


def migrate(database_url: str, artifact_folder: Path, projects: Collection[str]) -> int:
    """Move experiments of before into their projects' workspaces, once; return how many.

    Those that are there already have their files' paths turned into addresses. A move that was
    interrupted goes on at the next call. Nobody else may use the store meanwhile.

    Parameters
    ----------
    projects
        Names of all projects. An experiment of none of them stays: whoever makes a project of
        that name later must not find it there.
    """
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            found = connection.execute(_FOUND).all()
        moved = 0
        for experiment_id, name, location in found:
            project, _, pipeline = name.partition("/")
            former = artifact_folder / project / pipeline
            is_ours = (
                project in projects and "/" not in pipeline and pipeline not in ("", ".", "..")
            )
            if not is_ours or location != former.as_uri():
                log.info("An experiment stays in MLflow's default workspace, name=%s", name)
                continue
            with engine.begin() as connection:
                moved += _move(
                    connection, experiment_id, project, pipeline, former, artifact_folder
                )
        _address(engine, artifact_folder)
        return moved
    finally:
        engine.dispose()


def _move(
    connection: Connection,
    experiment_id: int,
    project: str,
    pipeline: str,
    former: Path,
    artifact_folder: Path,
) -> bool:
    workspace = workspace_name(project)
    values = {
        "id": experiment_id,
        "workspace": workspace,
        "name": pipeline,
        "old": former.as_uri(),
        "n": len(former.as_uri()),
        "new": _address_of(workspace, experiment_id),
    }
    for hindrance in (_STRAY_RUNS, _STRAY_MODELS, _TAKEN):
        if connection.scalar(hindrance, values):
            log.warning("An experiment can't be moved, name=%s/%s", project, pipeline)
            return False
    if not connection.scalar(_HAS_WORKSPACE, values):
        connection.execute(_WORKSPACE, values)
    for statement in _MOVES:
        connection.execute(statement, values)
    # Before the commit: if this is as far as we get, the next call finds the folder moved.
    _move_folder(former, workspace_folder(artifact_folder, workspace) / str(experiment_id))
    log.info("An experiment was moved to its project's workspace, name=%s/%s", project, pipeline)
    return True


def _address(engine: Engine, artifact_folder: Path) -> None:
    with engine.connect() as connection:
        experiments = connection.execute(_DIVIDED).all()
    for experiment_id, workspace in experiments:
        folder = workspace_folder(artifact_folder, workspace) / str(experiment_id)
        values = {
            "id": experiment_id,
            "old": folder.as_uri(),
            "n": len(folder.as_uri()),
            "new": _address_of(workspace, experiment_id),
        }
        with engine.begin() as connection:
            changed = sum(connection.execute(each, values).rowcount for each in _ADDRESSES)
            if changed:
                # Before the commit: an interruption must not leave links that are served.
                _remove_links(folder)
                log.info("Files' paths became addresses, experiment=%s", experiment_id)


def _address_of(workspace: str, experiment_id: int) -> str:
    return f"mlflow-artifacts:/workspaces/{workspace}/{experiment_id}"


def _move_folder(former: Path, target: Path) -> None:
    if not former.is_dir():
        return
    _remove_links(former)
    target.parent.mkdir(parents=True, exist_ok=True)
    former.rename(target)


def _remove_links(top: Path) -> None:
    # Notebooks wrote here themselves; MLflow, which may be another account now, would follow.
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink():
                path.unlink()
