"""The routes of MLflow that are let through, and who may use each.

MLflow's server has far more (webhooks, AI gateways, jobs, an assistant, the administration of
workspaces …): what is not on this list is not there. Each route was read in MLflow 3.17's
source: it stays within the workspace of its request, and touches no file or address that the
caller could choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from starlette.routing import compile_path


class Access(Enum):
    """What a route needs."""

    ANYBODY = "no sign-in"
    PERSON = "a sign-in, and no project"
    PAGE = "a sign-in; our version of MLflow's page"
    WORKSPACES = "a sign-in; our answer, from the person's projects"
    WORKSPACE = "membership; our answer, from the project"
    READ = "membership"
    WRITE = "the role of an editor"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A route that is let through.

    Parameters
    ----------
    path
        Below the prefix, as Starlette writes it.
    is_upload
        Its body may be of any length and is not held in memory.
    """

    method: str
    path: str
    access: Access
    pattern: re.Pattern[str]
    is_upload: bool = False


# Relative to `/api/2.0/mlflow/` and its twin for the page, `/ajax-api/2.0/mlflow/`.
_READ_2 = """
GET artifacts/list
GET experiments/get
GET experiments/get-by-name
GET experiments/search
POST experiments/search
GET metrics/get-history
GET metrics/get-history-bulk-interval
GET runs/get
POST runs/search
POST logged-models/search
GET logged-models/{model_id}
GET logged-models/{model_id}/artifacts/directories
GET model-versions/get
GET model-versions/get-download-uri
GET model-versions/search
GET registered-models/alias
GET registered-models/get
GET registered-models/get-latest-versions
POST registered-models/get-latest-versions
GET registered-models/search
"""
_WRITE_2 = """
POST experiments/create
POST experiments/delete
POST experiments/delete-experiment-tag
POST experiments/restore
POST experiments/set-experiment-tag
POST experiments/update
POST runs/create
POST runs/delete
POST runs/delete-tag
POST runs/log-batch
POST runs/log-inputs
POST runs/log-metric
POST runs/log-model
POST runs/log-parameter
POST runs/outputs
POST runs/restore
POST runs/set-tag
POST runs/update
POST logged-models
PATCH logged-models/{model_id}
DELETE logged-models/{model_id}
POST logged-models/{model_id}/params
PATCH logged-models/{model_id}/tags
DELETE logged-models/{model_id}/tags/{tag_key}
POST model-versions/create
DELETE model-versions/delete
DELETE model-versions/delete-tag
POST model-versions/set-tag
POST model-versions/transition-stage
PATCH model-versions/update
POST registered-models/alias
DELETE registered-models/alias
POST registered-models/create
DELETE registered-models/delete
DELETE registered-models/delete-tag
POST registered-models/rename
POST registered-models/set-tag
PATCH registered-models/update
"""
# Relative to `/api/3.0/mlflow/` and its twin.
_READ_3 = """
GET traces/batchGet
GET traces/get
POST traces/batchGetInfos
POST traces/metrics
POST traces/search
GET traces/{trace_id}
"""
_WRITE_3 = """
POST traces
POST traces/delete-traces
DELETE traces/{trace_id}/tags
PATCH traces/{trace_id}/tags
"""
# Only for the page: they have no twin.
_READ_PAGE = """
POST /ajax-api/2.0/mlflow/experiments/search-datasets
GET /ajax-api/2.0/mlflow/metrics/get-history-bulk
POST /graphql
GET /ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files
GET /get-artifact
GET /model-versions/get-artifact
"""
_WRITE_OTHER = """
POST /ajax-api/2.0/mlflow/upload-artifact
POST /v1/traces
"""

_API_2 = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")
_API_3 = ("/api/3.0/mlflow/", "/ajax-api/3.0/mlflow/")
ARTIFACT_ROOTS = tuple(f"/{api}/2.0/mlflow-artifacts/artifacts" for api in ("api", "ajax-api"))


def find_rule(method: str, path: str) -> Rule | None:
    """Return the rule for a request; `None` where there is nothing for anybody.

    Parameters
    ----------
    path
        Below the prefix, decoded.
    """
    root, *folders, name = path.split("/") if "/" in path else ("none", path)
    climbs = name in (".", "..") or any(step in ("", ".", "..") for step in folders)
    if root or climbs or "\\" in path or not path.isprintable():
        return None
    return next((r for r in RULES if r.method == method and r.pattern.match(path)), None)


def _rule(method: str, path: str, access: Access, *, is_upload: bool = False) -> Rule:
    return Rule(
        method=method,
        path=path,
        access=access,
        pattern=compile_path(path)[0],
        is_upload=is_upload,
    )


def _rules(text: str, access: Access, roots: Iterable[str] = ("",)) -> Iterator[Rule]:
    for line in text.split("\n"):
        method, _, path = line.partition(" ")
        if method:
            yield from (_rule(method, root + path, access) for root in roots)


RULES: tuple[Rule, ...] = (
    _rule("GET", "/", Access.PAGE),
    _rule("GET", "/health", Access.ANYBODY),
    _rule("GET", "/nb2prod.js", Access.ANYBODY),
    _rule("GET", "/static-files/{path:path}", Access.ANYBODY),
    _rule("GET", "/version", Access.PERSON),
    *_rules("GET server-info", Access.PERSON, _API_3),
    *_rules("GET workspaces", Access.WORKSPACES, _API_3),
    *_rules("GET workspaces/{name}", Access.WORKSPACE, _API_3),
    *_rules(_READ_2, Access.READ, _API_2),
    *_rules(_WRITE_2, Access.WRITE, _API_2),
    *_rules(_READ_3, Access.READ, _API_3),
    *_rules(_WRITE_3, Access.WRITE, _API_3),
    *_rules(_READ_PAGE, Access.READ),
    *_rules(_WRITE_OTHER, Access.WRITE),
    *(_rule("GET", root, Access.READ) for root in ARTIFACT_ROOTS),
    *(_rule("GET", f"{root}/{{path:path}}", Access.READ) for root in ARTIFACT_ROOTS),
    *(
        _rule("PUT", f"{root}/{{path:path}}", Access.WRITE, is_upload=True)
        for root in ARTIFACT_ROOTS
    ),
)
