"""What a spawner tells the server half."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb2prod_lab.settings import LabSettings

SPAWNED = {
    "NB2PROD_SERVICE_URL": "http://172.20.0.1:8001/services/workspace/",
    "NB2PROD_PROJECT": "seat-demand",
    "NB2PROD_PROJECT_FOLDER": "/home/jovyan/project",
    "NB2PROD_PRIVATE_FOLDER": "/home/jovyan/private",
    "NB2PROD_PUBLIC_URL": "https://hub.example.org/",
    "JUPYTERHUB_API_TOKEN": "secret",
}


def test_settings_of_a_spawned_server_are_its_environment() -> None:
    assert LabSettings.from_environment(SPAWNED) == LabSettings(
        service_url="http://172.20.0.1:8001/services/workspace",
        token="secret",
        project="seat-demand",
        project_folder=Path("/home/jovyan/project"),
        private_folder=Path("/home/jovyan/private"),
        public_url="https://hub.example.org",
    )


@pytest.mark.parametrize("missing", ["NB2PROD_SERVICE_URL", "NB2PROD_PROJECT"])
def test_settings_without_service_or_project_have_no_workspace(missing: str) -> None:
    environment = {name: value for name, value in SPAWNED.items() if name != missing}
    assert LabSettings.from_environment(SPAWNED).has_workspace
    assert not LabSettings.from_environment(environment).has_workspace
