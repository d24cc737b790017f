"""What a person does on a project's settings page, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect

from nb2prod.server.app import create_app
from nb2prod.workspace.people import Identity
from nb2prod.workspace.projects import Role, add_member, found_project, get_project
from nb2prod.workspace.secrets import read_secrets, set_secret
from nb2prod.workspace.tokens import ci_identity_of, create_project_token
from nb2prod.workspace.workspace import Workspace
from tests.helpers.browser import (
    assert_fits,
    screenshot,
    visiting_as,
)
from tests.helpers.shared import environment_of

ADA, VERA = Identity(person="ada"), Identity(person="vera")
PATH = "/projects/seat-demand/settings"
NAME, VALUE = "DB_PASSWORD", "correct horse battery"


def team(workspace: Workspace) -> FastAPI:
    """A project of ada's, and vera as a viewer."""
    found_project(
        workspace, "seat-demand", title="Seat demand on flights from New York", owner="ada"
    )
    add_member(workspace, "seat-demand", "vera", Role.VIEWER, person="ada")
    return create_app(
        workspace, is_behind_login=True, executor="process", environment_of=environment_of
    )


@pytest.mark.parametrize("has_script", [True, False], ids=["with script", "without script"])
def test_secret_is_set_and_removed_and_never_shown(
    browser: Browser, workspace: Workspace, *, has_script: bool
) -> None:
    app = team(workspace)
    with visiting_as(browser, app, ADA, PATH, java_script_enabled=has_script) as watch:
        page = watch.page
        page.get_by_label("Set a secret").fill("db-password")
        page.get_by_label("to", exact=True).fill(VALUE)
        page.get_by_role("button", name="Set", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("is no name of a secret")
        assert page.get_by_label("Set a secret").input_value() == "db-password"
        assert page.get_by_label("to", exact=True).input_value() == ""

        page.get_by_label("Set a secret").fill(NAME)
        page.get_by_label("to", exact=True).fill(VALUE)
        page.get_by_role("button", name="Set", exact=True).click()
        line = page.locator("table.secrets tbody tr")
        expect(line).to_contain_text(NAME)
        expect(line).to_contain_text("ada")
        assert VALUE not in page.content()
        project = get_project(workspace, "seat-demand", person="ada")
        assert read_secrets(workspace, project, [NAME]) == {NAME: VALUE}

        page.get_by_role("button", name=f"Remove {NAME}").click()
        expect(line).to_have_count(0)


def test_token_is_made_shown_once_and_revoked(browser: Browser, workspace: Workspace) -> None:
    app = team(workspace)
    with visiting_as(browser, app, VERA, PATH) as watch:
        page = watch.page
        page.get_by_label("New token for").fill("GitHub Actions")
        page.get_by_label("good for").select_option("30")
        page.get_by_role("button", name="Make").click()
        shown = page.locator("#new-token")
        expect(shown).to_be_visible()
        identity = ci_identity_of(workspace, shown.inner_text())
        assert identity is not None
        assert (identity.person, identity.project) == ("vera", "seat-demand")
        line = page.locator("table.tokens tbody tr")
        expect(line).to_contain_text("GitHub Actions")

        page.goto(page.url.partition("/settings")[0] + "/settings")
        expect(shown).to_have_count(0)
        page.get_by_role("button", name="Revoke GitHub Actions").click()
        expect(line).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_page_of_settings_fits_and_is_accessible(
    browser: Browser, workspace: Workspace, width: int, scheme: str
) -> None:
    app = team(workspace)
    for name in (NAME, "S3_SECRET_ACCESS_KEY_OF_THE_MARKET_DATA_BUCKET"):
        set_secret(workspace, "seat-demand", name, VALUE, person="ada")
    create_project_token(
        workspace, "seat-demand", person="vera", title="Pull requests of the fares", days=7
    )
    options: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with visiting_as(browser, app, ADA, PATH, **options) as watch:
        page = watch.page
        page.get_by_label("New token for").fill("GitHub Actions")
        page.get_by_role("button", name="Make").click()
        expect(page.locator("#new-token")).to_be_visible()
        assert_fits(page, width)
        screenshot(page, f"settings-{width}-{scheme}")


def test_viewer_reads_names_and_sets_none(browser: Browser, workspace: Workspace) -> None:
    app = team(workspace)
    set_secret(workspace, "seat-demand", NAME, VALUE, person="ada")
    with visiting_as(browser, app, VERA, PATH) as watch:
        part = watch.page.locator("#secrets")
        expect(part).to_contain_text(NAME)
        expect(part.locator("form")).to_have_count(0)
