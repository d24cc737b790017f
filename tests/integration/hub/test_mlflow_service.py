"""MLflow's service as MLflow's own server would start it: the plug-in `nb2prod`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from nb2prod_hub.login import HubLogin
from nb2prod_hub.mlflow_service import create_app
from nb2prod_hub.plan import write_plan
from nb2prod_hub.secret_files import make_secrets

from nb2prod.errors import Nb2prodError
from nb2prod.settings import Settings
from nb2prod.workspace.workspace import open_workspace
from tests.helpers.services import a_plan

PREFIX = "http://127.0.0.1/services/mlflow"


def test_mlflow_plug_in_serves_the_workspace_of_its_environment(settings: Settings) -> None:
    with open_workspace(settings):
        a_plan(settings.home).folder.mkdir(exist_ok=True)
        write_plan(a_plan(settings.home))
        make_secrets(settings.home)

    app = create_app()
    statuses = asyncio.run(_statuses(app, "/health", "/api/2.0/mlflow/experiments/search"))

    assert isinstance(app, HubLogin)
    assert statuses == [200, 401]


def test_mlflow_plug_in_without_a_workspace_says_so(tmp_path: Path) -> None:
    with pytest.raises(Nb2prodError, match="nb2prod up"):
        create_app()


async def _statuses(app: HubLogin, *paths: str) -> list[int]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        return [(await client.get(PREFIX + path)).status_code for path in paths]
