"""The browser and the gallery that the journeys go through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from nb2prod.settings import Settings
from nb2prod.workspace.workspace import Workspace, open_workspace
from tests.helpers.browser import launched


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; one per module, as its event loop may not meet other tests'."""
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that a module's tests fill once and then only read."""
    home = tmp_path_factory.mktemp("library")
    settings = Settings.from_environment({"NB2PROD_HOME": str(home), "NB2PROD_USER": "ada"})
    with open_workspace(settings) as opened:
        yield opened
