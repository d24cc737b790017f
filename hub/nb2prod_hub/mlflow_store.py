"""MLflow's own store, with what its walls between workspaces lack (3.17).

MLflow looks up by workspace what a request reads or changes. Two ways round that are closed
here, beneath all routes and all spellings of a request: models that a run refers to by id are
not looked up at all, and a trace may be told where its files are.

Imported only when MLflow is started, since it imports MLflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.server.handlers import _tracking_store_registry
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
from mlflow.utils.mlflow_tags import IMMUTABLE_TAGS, MLFLOW_USER

# All say where something is, or in which state MLflow has it.
_PLACES = frozenset(IMMUTABLE_TAGS) - {MLFLOW_USER}


class ProjectStore(WorkspaceAwareSqlAlchemyStore):  # type: ignore[misc]
    """MLflow's store for many workspaces; refuses references out of the request's own."""

    def log_metric(self, run_id: str, metric: Any) -> None:
        """Log a metric, also of a model of this workspace."""
        self._require_models([metric.model_id])
        super().log_metric(run_id, metric)

    def log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        """Log metrics, also of models of this workspace, parameters and tags."""
        self._require_models(metric.model_id for metric in metrics)
        super().log_batch(run_id, metrics, params, tags)

    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        """Log data sets, and models of this workspace, that a run has used."""
        self._require_models(model.model_id for model in models or ())
        super().log_inputs(run_id, datasets, models)

    def log_outputs(self, run_id: str, models: Any) -> None:
        """Log models of this workspace that a run has made."""
        self._require_models(model.model_id for model in models)
        super().log_outputs(run_id, models)

    def start_trace(self, trace_info: Any) -> Any:
        """Make a trace; where its files are is MLflow's to say."""
        _refuse_places((*trace_info.tags, *trace_info.trace_metadata))
        return super().start_trace(trace_info)

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        """Set a trace's tag, but none that says where its files are."""
        _refuse_places((key,))
        super().set_trace_tag(trace_id, key, value)

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        """Delete a trace's tag, but none that says where its files are."""
        _refuse_places((key,))
        super().delete_trace_tag(trace_id, key)

    def _require_models(self, model_ids: Iterable[str | None]) -> None:
        for model_id in {model_id for model_id in model_ids if model_id}:
            # Raises for a model of another workspace what it raises for none.
            self.get_logged_model(model_id)


def install() -> None:
    """Make MLflow's server use `ProjectStore`; before it opens its store."""

    def build(store_uri: str, artifact_uri: str) -> ProjectStore:
        return ProjectStore(store_uri, artifact_uri)

    for engine in DATABASE_ENGINES:
        _tracking_store_registry.register(engine, build)


def _refuse_places(keys: Iterable[str]) -> None:
    if refused := _PLACES & set(keys):
        raise MlflowException(
            f"A trace's {min(refused)} can't be set or deleted: MLflow keeps it.",
            INVALID_PARAMETER_VALUE,
        )
