"""Fixtures that every tier may use."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nb2prod.settings import Settings
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.engine import BASE_IMAGE, TORCH_IMAGE, Engine, open_engine, require_images
from tests.helpers.postgresql import Server, start_server

_GIT_CONFIG = "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"


@pytest.fixture(scope="session", autouse=True)
def git_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give git an identity of the tests' own, for what a module makes before its first test."""
    file = tmp_path_factory.mktemp("git") / "gitconfig"
    file.write_text(_GIT_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(file))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@contextmanager
def _without_trace_of_pytest() -> Iterator[None]:
    """Let a kernel that is started within be one as everywhere.

    IPython's kernel does not catch what native code and other programs print if it finds this
    variable, which it inherits.
    """
    name = "PYTEST_CURRENT_TEST"
    former = os.environ.pop(name, None)
    try:
        yield
    finally:
        if former is not None:
            os.environ[name] = former


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Run each test without pytest's variable in the environment."""
    with _without_trace_of_pytest():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    """Make each fixture without pytest's variable in the environment."""
    with _without_trace_of_pytest():
        return (yield)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """What keeps the test's workspace: ``sqlite``, or what `helpers.postgresql` asks for."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own; see `helpers.postgresql.start_server`."""
    with start_server() as server:
        yield server


@pytest.fixture(autouse=True)
def isolated_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database_kind: str,
    request: pytest.FixtureRequest,
) -> None:
    """Keep each test away from the person's own workspace, git identity and Jupyter."""
    for name in ("NB2PROD_DATABASE_URL", "NB2PROD_BLOB_URL", "NB2PROD_MLFLOW_URI", "NB2PROD_PORT"):
        monkeypatch.delenv(name, raising=False)
    # These tests may run in CI themselves, which says of itself what runs would keep.
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "CI_")) or name in ("NB2PROD_SERVER", "NB2PROD_TOKEN"):
            monkeypatch.delenv(name)
    if database_kind == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        monkeypatch.setenv("NB2PROD_DATABASE_URL", server.make())
    monkeypatch.setenv("NB2PROD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NB2PROD_USER", "ada")
    # A project that declares an environment would have it locked with what an index says today.
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(_GIT_CONFIG)


@pytest.fixture
def settings(isolated_environment: None) -> Settings:
    """Settings of a workspace in the test's own folder."""
    return Settings.from_environment()


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    """An open, empty workspace."""
    with open_workspace(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A Docker engine; without one the test is skipped, and fails in CI."""
    with open_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def base_image(docker_engine: Engine) -> str:
    """The name of the image ``nb2prod/base``, made of the code as it is now."""
    require_images("base")
    return BASE_IMAGE


@pytest.fixture(scope="session")
def torch_image(docker_engine: Engine) -> str:
    """The name of the image ``nb2prod/torch``, made of the code as it is now."""
    require_images("torch")
    return TORCH_IMAGE
