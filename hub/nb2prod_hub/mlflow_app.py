"""MLflow itself, started beside the event loop: its import and its database take seconds.

MLflow is configured by environment variables that it reads while it is imported (3.17,
``mlflow.server.constants``), so those are set here, first, and whatever else the environment
says of MLflow is dropped: a ``MLFLOW_WORKSPACE`` would become every request's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from nb2prod.errors import ServiceUnreachable

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0

# Where a model version may come from: what MLflow itself keeps, and its names for prompts,
# which have no files. Not addresses, which the server would fetch, nor paths of its own disk;
# nor `runs:/…`, which clients resolve, and whose run MLflow does not look up.
_SOURCES = r"^(?:(?:mlflow-artifacts|models):/(?!/)|(?:dummy-source|prompt-template)$)"


@dataclass(frozen=True, kw_only=True)
class MlflowSettings:
    """What MLflow needs to know.

    Parameters
    ----------
    database_url
        SQLAlchemy URL of its store.
    artifact_folder
        Where it keeps files; only it reads and writes there.
    prefix
        Path of the service, without a slash at its end.
    projects
        Names of all projects there are, for what was kept before there was a hub.
    """

    database_url: str
    artifact_folder: Path
    prefix: str
    projects: frozenset[str] = frozenset()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that say the same to MLflow."""
        return {
            "_MLFLOW_SERVER_FILE_STORE": self.database_url,
            "_MLFLOW_SERVER_REGISTRY_STORE": self.database_url,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.artifact_folder),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_STATIC_PREFIX": self.prefix,
            "_MLFLOW_SGI_NAME": "uvicorn",
            "MLFLOW_ENABLE_WORKSPACES": "true",
            "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": _SOURCES,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            # The gate checks origins, and takes any name that the proxy is known by.
            "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_ENABLE_AI_GATEWAY": "false",
        }


class MlflowBackend:
    """MLflow's application; `mlflow_gate.Backend`. One per process, as MLflow's state is."""

    def __init__(self, settings: MlflowSettings) -> None:
        self._settings = settings
        self._starting: asyncio.Task[ASGIApp] | None = None
        self._workspaces = _Workspaces()

    async def start(self) -> None:
        """Begin to start; returns at once."""
        self._starting = asyncio.create_task(asyncio.to_thread(load, self._settings))
        self._starting.add_done_callback(_say_how_it_went)

    async def ensure_workspace(self, name: str) -> None:
        """Make a workspace where there is none.

        Raises
        ------
        ServiceUnreachable
            MLflow could not be started, or takes too long.
        """
        await self._app()
        if name not in self._workspaces.known:
            await asyncio.to_thread(self._workspaces.ensure, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = await self._app()
        await app(scope, receive, send)

    async def _app(self) -> ASGIApp:
        assert self._starting is not None, "start() comes first"
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await asyncio.shield(self._starting)
        except TimeoutError as error:
            raise ServiceUnreachable("MLflow is still starting. Try again in a minute.") from error
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # Logged with its traceback when it happened.
            raise ServiceUnreachable(
                "MLflow could not be started; its log says why. Tell the administrator."
            ) from error


class _Workspaces:
    """Makes workspaces; `known` spares the question for those that were there once."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self._lock = threading.Lock()

    def ensure(self, name: str) -> None:
        from mlflow.entities import Workspace
        from mlflow.exceptions import MlflowException
        from mlflow.server.handlers import _get_workspace_store

        store: Any = _get_workspace_store()
        with self._lock:
            try:
                store.get_workspace(name)
            except MlflowException:
                store.create_workspace(Workspace(name=name))
            self.known.add(name)


def load(settings: MlflowSettings) -> ASGIApp:
    """Import MLflow and open its stores, making or moving what has to be; blocks for seconds."""
    from nb2prod_hub.mlflow_migration import migrate

    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "_MLFLOW_"))]:
        del os.environ[name]
    os.environ.update(settings.environment())
    settings.artifact_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.server.fastapi_app import app
        from mlflow.server.handlers import initialize_backend_stores

        from nb2prod_hub.mlflow_store import install
    install()
    initialize_backend_stores(
        settings.database_url, settings.database_url, default_artifact_root="mlflow-artifacts:/"
    )
    migrate(settings.database_url, settings.artifact_folder, settings.projects)
    application: ASGIApp = app
    return application


def _say_how_it_went(task: asyncio.Task[ASGIApp]) -> None:
    if task.cancelled():
        return
    if error := task.exception():
        log.error("MLflow could not be started", exc_info=error)
    else:
        log.info("MLflow has started")
