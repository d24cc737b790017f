"""Which of MLflow's routes are let through."""

from __future__ import annotations

import pytest
from nb2prod_hub.mlflow_routes import RULES, Access, find_rule

CLOSED_WORDS = (
    "webhook",
    "gateway",
    "job",
    "assistant",
    "demo",
    "scorer",
    "issue",
    "prompt",
    "presigned",
    "mpu",
    "mcp",
    "telemetry",
    "invoke",
    "label-schema",
    "review-queue",
    "get-trace-artifact",
)


@pytest.mark.parametrize(
    ("method", "path", "access"),
    [
        ("GET", "/", Access.PAGE),
        ("GET", "/static-files/static/js/main.js", Access.ANYBODY),
        ("GET", "/api/3.0/mlflow/server-info", Access.PERSON),
        ("GET", "/ajax-api/3.0/mlflow/workspaces", Access.WORKSPACES),
        ("GET", "/ajax-api/3.0/mlflow/workspaces/seats", Access.WORKSPACE),
        ("GET", "/api/2.0/mlflow/runs/get", Access.READ),
        ("POST", "/ajax-api/2.0/mlflow/runs/search", Access.READ),
        ("POST", "/graphql", Access.READ),
        ("GET", "/get-artifact", Access.READ),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a b.txt", Access.READ),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/..b", Access.WRITE),
        ("POST", "/api/2.0/mlflow/runs/create", Access.WRITE),
        ("DELETE", "/api/2.0/mlflow/logged-models/m-1/tags/a.b", Access.WRITE),
        ("POST", "/v1/traces", Access.WRITE),
    ],
)
def test_route_on_the_list_needs(method: str, path: str, access: Access) -> None:
    rule = find_rule(method, path)

    assert rule is not None
    assert rule.access is access


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/"),
        ("POST", "/"),
        ("DELETE", "/api/2.0/mlflow/runs/get"),
        ("GET", "/graphql"),
        ("GET", ""),
        ("GET", "/api/2.0/mlflow/runs/get/"),
        ("GET", "//api/2.0/mlflow/runs/get"),
        ("GET", "/api/2.0/mlflow//runs/get"),
        ("GET", "/static-files/../../etc/passwd"),
        ("GET", "/static-files/.."),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/a/../../b"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/.."),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/a\\..\\b"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/a\nb"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts//etc/passwd"),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/1/r"),
        ("POST", "/api/3.0/mlflow/workspaces"),
        ("PATCH", "/api/3.0/mlflow/workspaces/seats"),
        ("DELETE", "/api/3.0/mlflow/workspaces/seats"),
        ("GET", "/API/2.0/mlflow/runs/get"),
        ("GET", "/api/2.0/mlflow/runs/get\n"),
    ],
)
def test_route_not_on_the_list_is_not_there(method: str, path: str) -> None:
    assert find_rule(method, path) is None


@pytest.mark.parametrize("word", CLOSED_WORDS)
def test_route_of_a_closed_part_is_on_no_list(word: str) -> None:
    assert [rule.path for rule in RULES if word in rule.path] == []


def test_route_that_reads_changes_nothing_by_its_name() -> None:
    changing = ("create", "delete", "update", "set-", "log-", "restore", "upload", "rename")
    reading = [rule for rule in RULES if rule.access is Access.READ]

    assert [rule.path for rule in reading if any(word in rule.path for word in changing)] == []
    assert {rule.method for rule in reading} <= {"GET", "POST"}


def test_route_of_uploads_alone_has_no_limit() -> None:
    assert {(rule.method, rule.access) for rule in RULES if rule.is_upload} == {
        ("PUT", Access.WRITE)
    }
