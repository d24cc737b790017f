"""Fixtures that every tier may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nb2prod.settings import Settings
from nb2prod.workspace.workspace import Workspace, open_workspace


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep each test away from the person's own workspace, git identity and Jupyter."""
    for name in ("NB2PROD_DATABASE_URL", "NB2PROD_BLOB_URL", "NB2PROD_MLFLOW_URI", "NB2PROD_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NB2PROD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NB2PROD_USER", "ada")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
    )


@pytest.fixture
def settings(isolated_environment: None) -> Settings:
    """Settings of a workspace in the test's own folder."""
    return Settings.from_environment()


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    """An open, empty workspace."""
    with open_workspace(settings) as opened:
        yield opened
