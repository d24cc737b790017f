"""MLflow: each run of ours is one MLflow run, which the notebook's own calls join.

The MLflow run is made in a thread while the kernel starts and works, since MLflow alone takes
two seconds to import. The kernel's probe waits for it only where the notebook needs it. A
notebook that starts several MLflow runs gets its own further ones; they carry our run's id
and ours as their parent, and their metrics are gathered too. A model that is logged outside
of any MLflow run belongs to none, by MLflow's own rule, and is not gathered.

MLflow is an extra, and a service for those who like it. That it is not installed, locked or
out of reach never fails a run: the log says so.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nb2prod.errors import Conflict
from nb2prod.execution.events import TrackingStarted
from nb2prod.execution.models import RunRecord, RunStatus
from nb2prod.execution.recorder import Recorder, now, write_json
from nb2prod.execution.tracking_store import (
    TrackingStore,
    keep_files_in,
    prepare_workspace,
    workspace_folder,
)

log = logging.getLogger(__name__)

RUN_TAG = "nb2prod.run"
# The MLflow run that an attempt has begun with, on those that its notebook starts besides.
FIRST_TAG = "nb2prod.mlflow_run"
EXECUTED_NOTEBOOK = "notebook"
WRITTEN_FILES = "files"
# In the workspace's home, where MLflow's server keeps all files, too.
ARTIFACT_FOLDER = "mlflow"

# How long the run's end waits for MLflow to have started.
START_TIMEOUT_S = 60.0

# MLflow 3.17: telemetry, links printed to stdout, progress bars of uploads.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # GitPython, which MLflow imports, warns where there is no git.
    "GIT_PYTHON_REFRESH": "quiet",
}
# Of the runner alone: a notebook's MLflow may say what it likes.
_QUIET_HERE = {
    **QUIET,
    "MLFLOW_CONFIGURE_LOGGING": "false",
    # Long enough for a server that is being started again, and no run waits minutes for one
    # that is gone (MLflow's own: 7 attempts, 120 s each).
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# What would lead the notebook's calls away from our MLflow run.
_MISLEADING = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")

_PASSWORD = re.compile(r"://[^/@\s]+@")

_STATUS = {RunStatus.SUCCEEDED: "FINISHED", RunStatus.CANCELLED: "KILLED"}


@dataclass(frozen=True, kw_only=True)
class TrackedFile:
    """A file that was logged as an artifact: its name in MLflow, and a copy of it here."""

    name: str
    path: Path
    is_model: bool


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What MLflow has of a run; ``odd_metrics`` are the names of those that are NaN or infinite."""

    metrics: dict[str, float] = field(default_factory=dict)
    odd_metrics: tuple[str, ...] = ()
    files: tuple[TrackedFile, ...] = ()


def is_installed() -> bool:
    """Tell whether MLflow is there, without importing it."""
    return find_spec("mlflow") is not None


def kernel_environment(store: TrackingStore, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a kernel: this one's, without what would mislead MLflow."""
    kept = {name: value for name, value in environment.items() if name not in _MISLEADING}
    if is_installed():
        kept |= {**QUIET, "MLFLOW_TRACKING_URI": store.uri, **store.environment}
    return kept


class Tracking:
    """The MLflow run of one run.

    Parameters
    ----------
    record
        The run, as it was asked for.
    """

    def __init__(self, store: TrackingStore, record: RunRecord, recorder: Recorder) -> None:
        self._store = store
        self._record = record
        self._recorder = recorder
        self._client: Any = None
        self._environment = ExitStack()
        self.mlflow_run_id: str | None = None
        self._thread = threading.Thread(target=self._start, name="nb2prod-tracking", daemon=True)

    def start(self) -> None:
        """Begin to make the MLflow run; returns at once."""
        self._thread.start()

    def finish(
        self, status: RunStatus, notebook: Path, files: Callable[[], Mapping[str, Path]]
    ) -> Tracked:
        """Log what the run left, end the MLflow run, and read back what it has.

        Parameters
        ----------
        notebook
            The executed notebook.
        files
            Gives the files that the run wrote, by their path in the project.
        """
        self._thread.join(START_TIMEOUT_S)
        with self._environment:
            return self._finish(status, notebook, files)

    def _finish(
        self, status: RunStatus, notebook: Path, files: Callable[[], Mapping[str, Path]]
    ) -> Tracked:
        if self.mlflow_run_id is None:
            if self._thread.is_alive():
                self._recorder.note("MLflow did not answer; the run is not tracked.")
            return Tracked()
        tracked = Tracked()
        # One by one: what MLflow does not take must not cost what it has, nor leave a run open.
        with self._noting("Not all is known of what MLflow has of this run"):
            downloads = self._recorder.folder.downloads
            tracked = read_back(self._client, self.mlflow_run_id, downloads)
        for name in tracked.odd_metrics:
            self._recorder.note(f"The metric {name} is no finite number; only MLflow has it.")
        with self._noting("MLflow has not all of this run"):
            self._log_rest(notebook, files(), tracked)
        with self._noting("The MLflow run could not be ended"):
            end_mlflow_runs(self._client, self.mlflow_run_id, self._record.id, status)
        return tracked

    def _start(self) -> None:
        variables: dict[str, str] = {}
        with self._noting("MLflow is not available, so the run is not tracked"):
            self._environment.enter_context(asking_as(self._store))
            self._client = open_client(self._store)
            experiment_id = _experiment(self._client, self._store, self._record)
            run = self._client.create_run(
                experiment_id,
                run_name=f"{self._record.reference} {self._record.id}",
                tags={
                    RUN_TAG: self._record.id,
                    "nb2prod.version": self._record.reference,
                    "nb2prod.project": self._record.project,
                    "mlflow.source.git.commit": self._record.commit,
                    "mlflow.user": self._record.requested_by,
                },
            )
            variables = {
                # All that a notebook must not take along to another server.
                **self._store.environment,
                "MLFLOW_TRACKING_URI": self._store.uri,
                "MLFLOW_EXPERIMENT_ID": experiment_id,
                "MLFLOW_RUN_ID": run.info.run_id,
                "MLFLOW_RUN_CONTEXT": json.dumps(
                    {
                        RUN_TAG: self._record.id,
                        FIRST_TAG: run.info.run_id,
                        "mlflow.parentRunId": run.info.run_id,
                    }
                ),
            }
            self._recorder.append(TrackingStarted(at=now(), mlflow_run_id=run.info.run_id))
            self.mlflow_run_id = run.info.run_id
        # Written in any case: the kernel may be waiting for it.
        write_json(self._recorder.folder.tracking, variables)

    def _log_rest(self, notebook: Path, files: Mapping[str, Path], tracked: Tracked) -> None:
        # Parameters come last, because MLflow lets nobody log one twice with another value,
        # and the notebook's own calls must not fail for ours.
        logged = self._client.get_run(self.mlflow_run_id).data.params
        for name, value in self._record.parameters.items():
            if name not in logged:
                self._client.log_param(self.mlflow_run_id, name, value)
        self._client.log_artifact(self.mlflow_run_id, str(notebook), EXECUTED_NOTEBOOK)
        known = {file.path.stat().st_size for file in tracked.files}
        for name, path in files.items():
            if path.stat().st_size in known and _is_among(path, tracked.files):
                continue
            folder = f"{WRITTEN_FILES}/{name}".rpartition("/")[0]
            self._client.log_artifact(self.mlflow_run_id, str(path), folder)

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.debug("MLflow failed, run=%s", self._record.id, exc_info=True)
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            # The note is read by all who see the run, and MLflow's messages have its whole URL.
            self._recorder.note(f"{what}: {_PASSWORD.sub('://', first_line)}")


def finish_lost(
    store: TrackingStore, mlflow_run_id: str, run_id: str, downloads: Path | None
) -> Tracked:
    """End the MLflow run of a run whose runner is gone, and read back what it has.

    Parameters
    ----------
    downloads
        See `read_back`.
    """
    if not is_installed():
        return Tracked()
    try:
        with asking_as(store):
            client = open_client(store)
            tracked = read_back(client, mlflow_run_id, downloads)
            end_mlflow_runs(client, mlflow_run_id, run_id, RunStatus.LOST)
    except Exception:  # as in `Tracking`
        log.debug("MLflow failed for a lost run, run=%s", run_id, exc_info=True)
        log.warning("MLflow has not all of a lost run, run=%s", run_id)
        return Tracked()
    return tracked


@contextmanager
def asking_as(store: TrackingStore) -> Iterator[None]:
    """Let this process speak to the project's part of a store, with the store's token.

    MLflow takes both from the environment, at each request and in all threads.
    """
    wanted = store.environment
    former = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def open_client(store: TrackingStore) -> Any:
    """Return an `MlflowClient`; makes an embedded store's database where there is none.

    It speaks for a project's part of the store, or with its token, only within `asking_as`.
    """
    for name, value in _QUIET_HERE.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if store.home is None:
        return _new_client(store)
    store.home.mkdir(parents=True, exist_ok=True)
    # Two that make the database at once get into each other's way.
    with (store.home / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _new_client(store)


def read_back(client: Any, mlflow_run_id: str, downloads: Path | None) -> Tracked:
    """Return what MLflow has of an attempt at a run, and of those that its notebook started.

    What earlier attempts have logged is not among it.

    Parameters
    ----------
    downloads
        Folder for copies of what a server has; the caller removes it. MLflow's own are left
        in the system's folder for temporary files for good. `None` asks for no files.
    """
    metrics: dict[str, float] = {}
    odd: set[str] = set()
    files: dict[str, TrackedFile] = {}
    for run in _all_runs(client, mlflow_run_id, FIRST_TAG, mlflow_run_id):
        metrics |= {name: value for name, value in run.data.metrics.items() if _is_number(value)}
        odd |= {name for name, value in run.data.metrics.items() if not _is_number(value)}
        if downloads is None:
            continue
        for file in [*_artifacts(client, run, downloads), *_models(client, run, downloads)]:
            files[file.name] = file
    return Tracked(
        metrics=metrics,
        odd_metrics=tuple(sorted(odd - metrics.keys())),
        files=tuple(files.values()),
    )


def end_mlflow_runs(client: Any, mlflow_run_id: str, run_id: str, status: RunStatus) -> None:
    """Set the final status of a run's MLflow runs; further ones that ended keep theirs.

    Those of earlier attempts, which nobody could end, are ended too.
    """
    for run in _all_runs(client, mlflow_run_id, RUN_TAG, run_id):
        if run.info.run_id == mlflow_run_id or run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, _STATUS.get(status, "FAILED"))


def _all_runs(client: Any, mlflow_run_id: str, tag: str, value: str) -> list[Any]:
    main = client.get_run(mlflow_run_id)
    found = client.search_runs([main.info.experiment_id], filter_string=f"tags.`{tag}` = '{value}'")
    others = [run for run in found if run.info.run_id != mlflow_run_id]
    # The main run has the last word where two have a metric of one name.
    return [*sorted(others, key=lambda run: run.info.start_time), main]


def _new_client(store: TrackingStore) -> Any:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store.uri)
    client.search_experiments(max_results=1)
    return client


def _experiment(client: Any, store: TrackingStore, record: RunRecord) -> str:
    if store.home is None or store.workspace is None:
        return str(_found_experiment(client, store, record).experiment_id)
    prepare_workspace(store.uri, store.workspace)
    experiment = _found_experiment(client, store, record)
    if experiment.workspace != store.workspace:
        # MLflow keeps stores open for good; the database was divided since.
        raise Conflict("Its store has changed; start this process again.")
    experiment_id = str(experiment.experiment_id)
    folder = workspace_folder(store.home / ARTIFACT_FOLDER, store.workspace)
    keep_files_in(store.uri, experiment_id, folder / experiment_id)
    return experiment_id


def _found_experiment(client: Any, store: TrackingStore, record: RunRecord) -> Any:
    # Where each project has a part of the store, names need not tell projects apart.
    name = record.pipeline if store.workspace else f"{record.project}/{record.pipeline}"
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found
    location = None
    if store.home is not None and store.workspace is None and store.uri.startswith("sqlite:"):
        # MLflow's own default is a folder `mlruns` wherever the process happens to be.
        location = (store.home / ARTIFACT_FOLDER / record.project / record.pipeline).as_uri()
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    except Exception:
        # Another run of the same pipeline was faster.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found


def _artifacts(client: Any, run: Any, downloads: Path, folder: str = "") -> Iterator[TrackedFile]:
    for item in client.list_artifacts(run.info.run_id, folder or None):
        if item.is_dir:
            yield from _artifacts(client, run, downloads, item.path)
        else:
            target = _copies(run.info.artifact_uri, downloads / run.info.run_id)
            path = Path(client.download_artifacts(run.info.run_id, item.path, target))
            yield TrackedFile(name=item.path, path=path, is_model=False)


def _models(client: Any, run: Any, downloads: Path) -> Iterator[TrackedFile]:
    # MLflow 3 keeps logged models beside the runs, not among a run's artifacts.
    outputs = getattr(run, "outputs", None)
    for output in getattr(outputs, "model_outputs", None) or ():
        model = client.get_logged_model(output.model_id)
        from mlflow.artifacts import download_artifacts

        folder = Path(
            download_artifacts(
                artifact_uri=model.artifact_location,
                tracking_uri=client.tracking_uri,
                dst_path=_copies(model.artifact_location, downloads / output.model_id),
            )
        )
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"models/{model.name}/{path.relative_to(folder).as_posix()}"
                yield TrackedFile(name=name, path=path, is_model=True)


def _copies(uri: str, folder: Path) -> str | None:
    # What lies on this machine is read where it is.
    if urlsplit(uri).scheme in {"", "file"}:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _is_number(value: float) -> bool:
    # NaN and infinity have no place in a database's comparison of numbers; MLflow's own keeps
    # infinity as the largest number that there is (SqlAlchemyStore, sanitize_metric_value).
    return math.isfinite(value) and abs(value) < sys.float_info.max


def _is_among(path: Path, files: tuple[TrackedFile, ...]) -> bool:
    import filecmp

    return any(filecmp.cmp(path, file.path, shallow=False) for file in files)
