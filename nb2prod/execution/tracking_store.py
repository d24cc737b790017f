"""Which MLflow a run is tracked in: a server, or a database that we open ourselves.

While the workspace's hub runs, its MLflow server is asked, as a run in a container asks it.
Otherwise the database is opened, and says itself whether it is divided into MLflow's
workspaces, one for each project: behind a hub it is, and then MLflow opens it no other way.

Where it is, the server keeps files by addresses that only it understands. Nobody can ask it
now, so a run says by path where its files are: in the folder in which the server has them. The
server's next start turns these paths into its addresses (``nb2prod_hub.mlflow_migration``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nb2prod.execution.models import RunRecord
from nb2prod.settings import Settings
from nb2prod.workspace.announcement import find_announcement
from nb2prod.workspace.mlflow_workspaces import workspace_name
from nb2prod.workspace.rows import require_existing
from nb2prod.workspace.tokens import issue_token, revoke
from nb2prod.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# Longer than a run takes; its end takes the token back.
TOKEN_LIFE = timedelta(days=30)
CONNECT_TIMEOUT_S = 10

# What SQLAlchemy's usual drivers call it; MLflow keeps runs in no other database.
_TIMEOUT_OPTIONS = {
    "sqlite": "timeout",
    "postgresql": "connect_timeout",
    "mysql": "connect_timeout",
    "mssql": "timeout",
}
_IS_DIVIDED = text(
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM workspaces WHERE name != 'default')"
    " OR EXISTS (SELECT 1 FROM experiments WHERE workspace != 'default') THEN 1 ELSE 0 END"
)
_WORKSPACE = text("INSERT INTO workspaces (name) VALUES (:name)")
_HAS_WORKSPACE = text("SELECT count(*) FROM workspaces WHERE name = :name")
_PLACE = text("UPDATE experiments SET artifact_location = :place WHERE experiment_id = :id")


@dataclass(frozen=True, kw_only=True)
class TrackingStore:
    """Where MLflow keeps its runs.

    Parameters
    ----------
    uri
        A database or a server.
    home
        Folder of an embedded store's artifacts; `None` for a server, which has its own.
    workspace
        The part of the store that is a project's; `None` where it has no such parts.
    access_token
        What the server is asked with; `None` for what the environment says.
    """

    uri: str
    home: Path | None = None
    workspace: str | None = None
    access_token: str | None = None

    @classmethod
    def of(cls, settings: Settings, project: str) -> TrackingStore:
        """Return the store of a workspace that has no server of its own."""
        workspace = workspace_name(project) if is_divided(settings.mlflow_uri) else None
        return cls(uri=settings.mlflow_uri, home=settings.home, workspace=workspace)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which MLflow finds the project's part, and is let in."""
        found = {}
        if self.workspace is not None:
            found["MLFLOW_WORKSPACE"] = self.workspace
            if self.home is not None:
                found["MLFLOW_ENABLE_WORKSPACES"] = "true"
        if self.access_token is not None:
            found["MLFLOW_TRACKING_TOKEN"] = self.access_token
        return found


def store_of(workspace: Workspace, record: RunRecord) -> TrackingStore:
    """Return the store for a run that this process executes, or has to end.

    Makes a token where the hub's MLflow is asked; `forget_token` takes it back.

    Raises
    ------
    ProjectNotFound
        The run's project is gone.
    """
    settings = workspace.settings
    announcement = find_announcement(settings)
    if (
        announcement is None
        or announcement.mlflow_url is None
        or announcement.mlflow_store != without_password(settings.mlflow_uri)
    ):
        return TrackingStore.of(settings, record.project)
    with workspace.database.read() as connection:
        project = require_existing(connection, record.project)
    return TrackingStore(
        uri=announcement.mlflow_url,
        workspace=workspace_name(project.name),
        access_token=issue_token(
            workspace,
            person=record.requested_by,
            project=project,
            purpose=_purpose(record.id),
            ttl=TOKEN_LIFE,
        ),
    )


def forget_token(workspace: Workspace, run_id: str) -> None:
    """Take the token of a run back; there may be none."""
    revoke(workspace, purpose=_purpose(run_id))


def without_password(uri: str) -> str:
    """Return a store's address as it may be shown.

    >>> without_password("postgresql://ada:secret@host/mlflow")
    'postgresql://ada:***@host/mlflow'
    """
    try:
        return make_url(uri).render_as_string(hide_password=True)
    except ArgumentError:
        return uri


def is_divided(uri: str) -> bool:
    """Tell whether a store is a database that is divided into workspaces.

    One that can't be read is not known to be; MLflow itself will say what is wrong with it.
    """
    try:
        url = make_url(uri)
        if url.get_backend_name() not in _TIMEOUT_OPTIONS or _is_missing(url.database, uri):
            return False
        engine = _engine(uri)
        try:
            # Those of older versions of MLflow have no such table.
            if not inspect(engine).has_table("workspaces"):
                return False
            with engine.connect() as connection:
                return bool(connection.scalar(_IS_DIVIDED))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError):
        log.debug("MLflow's store could not be asked", exc_info=True)
        return False


def prepare_workspace(uri: str, workspace: str) -> None:
    """Make a workspace in a database where there is none of that name."""
    engine = _engine(uri)
    try:
        with engine.begin() as connection:
            if not connection.scalar(_HAS_WORKSPACE, {"name": workspace}):
                connection.execute(_WORKSPACE, {"name": workspace})
    except IntegrityError:
        log.debug("Another process made the workspace, name=%s", workspace)
    finally:
        engine.dispose()


def keep_files_in(uri: str, experiment_id: str, folder: Path) -> None:
    """Let the files of an experiment's next runs be kept in a folder; see the module."""
    engine = _engine(uri)
    try:
        with engine.begin() as connection:
            connection.execute(_PLACE, {"place": folder.as_uri(), "id": int(experiment_id)})
    finally:
        engine.dispose()


def workspace_folder(artifact_folder: Path, workspace: str) -> Path:
    """Return where MLflow's server (3.17) keeps a workspace's files, in its folder for them."""
    return artifact_folder / "workspaces" / workspace


def _engine(uri: str) -> Engine:
    option = _TIMEOUT_OPTIONS[make_url(uri).get_backend_name()]
    return create_engine(uri, connect_args={option: CONNECT_TIMEOUT_S}, poolclass=NullPool)


def _is_missing(database: str | None, uri: str) -> bool:
    # To look for one must not make an empty one.
    is_file = uri.startswith("sqlite") and database not in (None, "", ":memory:")
    return is_file and not Path(str(database)).exists()


def _purpose(run_id: str) -> str:
    # Not `run:…`, which are the dispatcher's to take back.
    return f"tracking:{run_id}"
