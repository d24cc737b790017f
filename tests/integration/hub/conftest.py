"""A hub with our services, for all tests here that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nb2prod.workspace.projects import Role, add_member, found_project
from nb2prod.workspace.workspace import Workspace
from tests.helpers.services import Services, services


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Olga's project `seats`, with Edith (editor) and Vera (viewer), and Otto's `other`."""
    home = tmp_path_factory.mktemp("services") / "home"
    with services(home, set_up=found_projects) as started:
        yield started


def found_projects(workspace: Workspace) -> None:
    found_project(workspace, "seats", title="Seats", owner="olga")
    found_project(workspace, "other", title="Other", owner="otto")
    add_member(workspace, "seats", "edith", Role.EDITOR, person="olga")
    add_member(workspace, "seats", "vera", Role.VIEWER, person="olga")
