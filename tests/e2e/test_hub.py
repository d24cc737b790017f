"""The whole workspace in a browser: sign in, open, promote, run, read, compare, open again.

An owner and an editor of one project, and somebody of another; a sweep, CI and a schedule. In
containers in full; in processes the shortest way through.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from nb2prod_hub.secret_files import Secret, read_secret
from playwright.sync_api import Browser, Locator, Page, expect

from nb2prod.execution.models import RunRecord
from nb2prod.execution.runs import list_runs
from nb2prod.workspace.policy import PERSON_UID, project_gid
from nb2prod.workspace.projects import get_project
from tests.helpers.browser import screenshot
from tests.helpers.engine import BASE_IMAGE, Engine
from tests.helpers.hub import ADMINISTRATOR, BROWSER, PASSWORD, Person, StartedHub, eventually
from tests.helpers.notebooks import code, markdown, notebook_json, parameters

PROJECT, TITLE = "demand", "Seat demand"
WAIT_MS = 30_000
SERVER_MS = 120_000
GALLERY = "/services/workspace/"
PROJECTS = "/services/workspace/projects"

CELLS = (
    markdown("# Seats departed per day"),
    parameters(
        "epochs: int = 2  # rounds of training [1, 500]\n"
        "alpha: float = 0.2  # weight of the penalty [0, 1]"
    ),
    code("import mlflow\nimport time\n\nimport matplotlib.pyplot as plt"),
    code(
        "for epoch in range(epochs):\n"
        "    time.sleep(0.5)\n"
        "    print(f'epoch {epoch + 1} of {epochs}')\n"
        "mlflow.log_metric('val_mape', 8 - alpha * epochs / 100)"
    ),
    code("plt.plot([1, 2, 3], [4, 3, 5])\nplt.title('Seats')\nplt.show()"),
    markdown("## Conclusion\n\nMore epochs help in container marker-7313."),
)
METADATA = {"nb2prod": {"main_metric": "val_mape", "lower_is_better": True}}
MARKER = "marker-7313"
COMMIT = "4f1c2a90" * 5
WHERE = "import os\nprint(os.getcwd(), os.getuid(), os.path.exists('train.ipynb'))"


@dataclass(frozen=True, kw_only=True)
class House:
    """A running workspace, and who may use it."""

    hub: StartedHub
    people: dict[str, Person]

    @property
    def address(self) -> str:
        """Where people open it."""
        return self.hub.plan.public_url

    def save_notebook(self, path: str, *cells: Any) -> None:
        """Put a notebook into the project's folder, as a member would by copying it there."""
        with self.hub.open() as workspace:
            project = get_project(workspace, PROJECT, person="olga")
        target = project.root / path
        target.write_text(json.dumps(notebook_json(*cells, metadata=METADATA)))
        if os.geteuid() == 0 and self.hub.mode == "docker":
            os.chown(target, PERSON_UID, project_gid(project))

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs of the project, the newest first."""
        with self.hub.open() as workspace:
            return list_runs(workspace, person="olga", project=PROJECT)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Let pages take their time: servers and kernels start on a few cores."""
    expect.set_options(timeout=WAIT_MS)
    yield
    expect.set_options(timeout=5000)


@contextmanager
def house(home: Path, mode: str, *names: str) -> Iterator[House]:
    """Start a workspace in which some people have accounts."""
    environment = {"NB2PROD_IMAGE": BASE_IMAGE} if mode == "docker" else {}
    with StartedHub(home, mode=mode, environment=environment) as hub:
        administrator = hub.administrator()
        people = {name: hub.member(name, administrator=administrator) for name in names}
        yield House(hub=hub, people=people)


@pytest.fixture(scope="module")
def in_docker(tmp_path_factory: pytest.TempPathFactory, base_image: str) -> Iterator[House]:
    """A workspace whose servers and runs are containers."""
    assert base_image == BASE_IMAGE
    home = tmp_path_factory.mktemp("docker") / "home"
    with house(home, "docker", "olga", "emil", "otto") as started:
        yield started


@contextmanager
def signed_in(
    browser: Browser, address: str, name: str, password: str = PASSWORD, **options: Any
) -> Iterator[Page]:
    """Open the workspace in a fresh browser profile, and sign in by the form."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    try:
        page.goto(address)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        screenshot(page, f"journey-{name}-sign-in")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(re.escape(PROJECTS)))
        yield page
    finally:
        context.close()


def panel_of(page: Page) -> Locator:
    """Return the extension's panel."""
    return page.locator("#nb2prod-pipeline")


def promote_button(page: Page) -> Locator:
    """Return the button in the toolbar of the notebook that is seen."""
    return page.locator(".jp-NotebookPanel:visible [data-jp-item-name=nb2prod-promote]")


def open_project(page: Page, title: str) -> None:
    """Choose Open, see what the hub says meanwhile, and come to JupyterLab."""
    page.goto(urlsplit(page.url)._replace(path=PROJECTS, query="", fragment="").geturl())
    page.get_by_role("link", name=f"Open {title}").click()
    page.wait_for_url(re.compile("/hub/spawn-pending/|/lab"))
    screenshot(page, "journey-spawn")
    page.wait_for_url(re.compile("/lab"), timeout=SERVER_MS)
    page.locator(".jp-Notebook, .jp-Launcher, .jp-DirListing").first.wait_for(timeout=SERVER_MS)


def promote(page: Page, reference: str) -> None:
    """Check the notebook that is open, and promote it."""
    promote_button(page).click()
    confirm = panel_of(page).get_by_role("button", name=f"Promote as {reference}")
    expect(confirm).to_be_enabled()
    screenshot(page, "journey-checked")
    confirm.click()
    expect(panel_of(page)).to_contain_text(f"{reference} is made.")


def ask_for_run(page: Page, reference: str, **values: str) -> None:
    """Fill in the form and run."""
    form = panel_of(page).locator("form")
    for name, value in values.items():
        form.get_by_label(name).fill(value)
    form.get_by_role("button", name=f"Run {reference}").click()


@pytest.mark.timeout(1500)
def test_owner_editor_and_outsider_go_their_ways_in_containers(
    browser: Browser, in_docker: House
) -> None:
    with signed_in(browser, in_docker.address, "olga") as page:
        make_project(page)
        in_docker.save_notebook("train.ipynb", *CELLS, code("!pip install lightning"))
        open_project(page, TITLE)
        mend_and_promote(page)
        run_and_stop_the_server_meanwhile(page, in_docker)
        read_and_compare(page, in_docker)
        look_at_mlflow(page)
        sweep_and_stop_the_server_meanwhile(page, in_docker)
        run_again_and_cancel(page, in_docker)
        run_from_ci(page, in_docker)
        run_by_schedule(page, in_docker)
    with signed_in(browser, in_docker.address, "emil") as page:
        open_in_own_workspace(page, in_docker)
    with signed_in(browser, in_docker.address, "otto") as page:
        find_nothing(page, in_docker)
    reach_nothing(in_docker)


def make_project(page: Page) -> None:
    """Make a project, and take an editor in."""
    screenshot(page, "journey-no-projects")
    page.get_by_label("Name", exact=True).fill(PROJECT)
    page.get_by_label("Title").fill(TITLE)
    page.get_by_role("button", name="Make project").click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    page.goto(urlsplit(page.url)._replace(path=f"{PROJECTS}/{PROJECT}").geturl())
    page.get_by_label("Person").fill("emil")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("row", name=re.compile("emil"))).to_be_visible()
    screenshot(page, "journey-project")


def mend_and_promote(page: Page) -> None:
    """A blocking finding forbids promotion; mended, the notebook becomes a version."""
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    assert page.url.endswith("/lab/tree/project/train.ipynb")
    promote_button(page).click()
    panel = panel_of(page)
    finding = panel.locator("li[data-code=package-install]")
    expect(finding).to_contain_text("Cell 7")
    expect(panel.get_by_role("button", name="Promote as train@v1")).to_be_disabled()
    screenshot(page, "journey-finding")
    finding.get_by_role("button").click()
    expect(page.locator(".jp-Notebook .jp-Cell").nth(6)).to_have_class(re.compile("jp-mod-active"))
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(CELLS))
    promote(page, "train@v1")


def run_and_stop_the_server_meanwhile(page: Page, at: House) -> None:
    """The first run ends before our eyes; during the second one the server is stopped."""
    watched = panel_of(page).locator(".nb2prod-watched")
    ask_for_run(page, "train@v1")
    expect(watched.locator("[data-status=succeeded]")).to_be_visible(timeout=SERVER_MS)
    expect(watched.get_by_label("Log")).to_contain_text("epoch 2 of 2")
    screenshot(page, "journey-ended")

    # Long enough for a server to be stopped meanwhile; the run is what ends last.
    ask_for_run(page, "train@v1", epochs="60")
    expect(watched.get_by_label("Log")).to_contain_text("epoch 1 of 60", timeout=SERVER_MS)
    screenshot(page, "journey-running")
    stop_server(page, at)
    assert at.runs()[0].status.value == "running"

    eventually(
        lambda: at.runs()[0].ended_at is not None, what="the second run's end", timeout_s=120
    )
    assert [(run.status.value, run.reason) for run in at.runs()] == [("succeeded", "")] * 2


def stop_server(page: Page, at: House) -> None:
    """Stop the project's server, as one who goes home."""
    page.goto(at.address + PROJECTS)
    screenshot(page, "journey-projects")
    page.get_by_role("button", name=f"Stop the server of {TITLE}").click()
    eventually(lambda: at.people["olga"].server(PROJECT) is None, what="the server's end")


def read_and_compare(page: Page, at: House) -> None:
    """Find the run's page in the gallery, and compare it with the run before."""
    newest = at.runs()[0]
    page.goto(at.address + GALLERY)
    expect(page.locator("main")).to_contain_text("Seats departed per day")
    screenshot(page, "journey-gallery")
    page.goto(f"{at.address}{GALLERY}pages/{newest.id}")
    expect(page.locator("main")).to_contain_text("val_mape")
    expect(page.locator("main")).to_contain_text(MARKER)
    screenshot(page, "journey-page")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("main")).to_contain_text("val_mape")
    row = page.get_by_role("row", name=re.compile("epochs"))
    expect(row).to_contain_text("60")
    screenshot(page, "journey-compare")


def look_at_mlflow(page: Page) -> None:
    """MLflow shows the project's experiment."""
    page.get_by_role("link", name="MLflow").first.click()
    page.wait_for_url(re.compile("/services/mlflow/"))
    expect(page.locator("body")).to_contain_text(re.compile(f"{PROJECT}|{TITLE}"))
    screenshot(page, "journey-mlflow")


def sweep_and_stop_the_server_meanwhile(page: Page, at: House) -> None:
    """Four runs go on and end while the one who asked for them has no server."""
    open_project(page, TITLE)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    panel = panel_of(page)
    if not panel.is_visible():
        page.locator(".jp-SideBar [data-id=nb2prod-pipeline]").click()
    panel.get_by_role("tab", name="Run").click()
    form = panel.locator("form")
    form.get_by_role("switch", name="Sweep").check()
    form.get_by_label("epochs").fill("20")
    form.get_by_label("alpha").fill("0.1..0.4 step 0.1")
    expect(form).to_contain_text("4 runs, over alpha")
    form.get_by_role("button", name="Start 4 runs").click()
    sweep = panel.locator(".nb2prod-sweep")
    expect(sweep).to_contain_text("Sweep of 4: ")
    expect(sweep.locator("tbody tr")).to_have_count(4)
    screenshot(page, "journey-sweep")
    link = sweep.get_by_role("link", name="Open its page").get_attribute("href")
    assert link is not None
    stop_server(page, at)

    page.goto(urljoin(at.address, link))
    expect(page.get_by_role("button", name="Cancel all")).to_be_visible()
    expect(page.locator("#status-succeeded")).to_have_text("4 succeeded", timeout=SERVER_MS)
    rows = page.locator("table.sweep-table tbody tr")
    expect(rows).to_have_count(4)
    expect(page.get_by_role("columnheader", name="val_mape")).to_be_visible()
    # More weight is better here: 8 - alpha · epochs / 100.
    expect(page.locator("tr.best")).to_contain_text("7.92")
    screenshot(page, "journey-sweep-page")
    pages = [item.get_attribute("href") for item in rows.locator("th a").all()]
    assert len(set(pages)) == 4
    for path in pages:
        page.goto(urljoin(at.address, path))
        expect(page.locator("main")).to_contain_text(MARKER)
    assert at.people["olga"].server(PROJECT) is None


def run_again_and_cancel(page: Page, at: House) -> None:
    """A run is asked for again in the gallery, with another value, and cancelled on its page."""
    page.goto(f"{at.address}{GALLERY}pages/{at.runs()[0].id}")
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_label("epochs")).to_have_value("20")
    page.get_by_label("epochs").fill("400")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#live-log")).to_contain_text("epoch 1 of 400", timeout=SERVER_MS)
    screenshot(page, "journey-live")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Provenance")).to_be_visible(timeout=SERVER_MS)
    expect(page.locator("main")).to_contain_text("epoch 1 of 400")
    screenshot(page, "journey-cancelled")
    cancelled = at.runs()[0]
    assert (cancelled.status.value, cancelled.parameters["epochs"]) == ("cancelled", 400)
    assert "olga" in cancelled.reason


def run_from_ci(page: Page, at: House) -> None:
    """A program with a token of the project runs the pipeline; revoked, the token is of no use."""
    settings = f"{at.address}{PROJECTS}/{PROJECT}/settings"
    page.goto(settings)
    page.get_by_label("New token for").fill("CI")
    page.get_by_role("button", name="Make").click()
    token = page.locator("#new-token").inner_text()

    done = from_ci(at, token, "--junit", "report.xml")
    assert done.returncode == 0, done.stdout
    assert "epoch 1 of 1" in done.stdout
    report = (at.hub.home.parent / "ci" / "report.xml").read_text()
    assert 'failures="0"' in report
    run = at.runs()[0]
    assert (run.status.value, run.requested_by, run.requested_via) == ("succeeded", "olga", "ci")
    assert f"{GALLERY}pages/{run.id}" in done.stdout
    page.goto(f"{at.address}{GALLERY}pages/{run.id}")
    expect(page.locator("main")).to_contain_text(COMMIT[:10])
    screenshot(page, "journey-ci")

    page.goto(settings)
    page.get_by_role("button", name="Revoke CI").click()
    expect(page.get_by_role("button", name="Revoke CI")).to_have_count(0)
    refused = from_ci(at, token)
    assert refused.returncode not in {0, 1}, refused.stdout
    assert "NB2PROD_TOKEN" in refused.stdout
    assert at.runs()[0].id == run.id


def from_ci(at: House, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type the command of a CI job, on a machine that knows the workspace's address only."""
    folder = at.hub.home.parent / "ci"
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [
            *(sys.executable, "-m", "nb2prod.cli", "run", f"{PROJECT}/train"),
            *("-p", "epochs=1", "--server", at.address, *arguments),
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NB2PROD_TOKEN": token,
            "GITHUB_SHA": COMMIT,
            "GITHUB_REF_NAME": "main",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def run_by_schedule(page: Page, at: House) -> None:
    """A schedule makes a run at the next minute, by itself."""
    known = at.runs()[0].id
    page.goto(f"{at.address}{PROJECTS}/{PROJECT}/schedules")
    page.get_by_label("Pipeline", exact=True).select_option("train")
    page.get_by_label("Time", exact=True).fill("* * * * *")
    page.get_by_label("Parameters").fill("epochs = 3")
    page.get_by_role("button", name="Make schedule").click()
    line = page.locator("table.schedules tbody tr")
    expect(line).to_contain_text("epochs = 3")
    eventually(lambda: at.runs()[0].id != known, what="the schedule's run", timeout_s=150)
    line.get_by_role("button", name="Pause").click()
    expect(line).to_contain_text("Paused")
    eventually(lambda: at.runs()[0].ended_at is not None, what="its end", timeout_s=150)
    run = at.runs()[0]
    assert (run.status.value, run.requested_via) == ("succeeded", "schedule")
    assert run.parameters["epochs"] == 3
    page.reload()
    screenshot(page, "journey-schedule")
    line.locator("a.schedule-run").click()
    expect(page.locator("main")).to_contain_text(MARKER)


def open_in_own_workspace(page: Page, at: House) -> None:
    """The editor opens the version that a page shows, under a new name, and runs a cell."""
    first = at.runs()[-1]
    for _ in range(2):
        page.goto(f"{at.address}{GALLERY}pages/{first.id}")
        page.get_by_role("link", name="Open in my workspace").click()
        page.wait_for_url(re.compile("/lab"), timeout=SERVER_MS)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=SERVER_MS)
    folder = at.hub.home / "people" / "emil" / PROJECT
    assert sorted(path.name for path in folder.glob("*.ipynb")) == [
        "train@v1 (2).ipynb",
        "train@v1.ipynb",
    ]
    idle = page.get_by_role("button", name=re.compile(r"Python 3.*\| Idle"))
    expect(idle).to_be_visible(timeout=SERVER_MS)
    cell = page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(1)
    # JupyterLab takes the focus back while it restores itself; typed text would be lost then.
    cell.locator(".cm-content").fill(WHERE)
    expect(cell).to_contain_text("getuid")
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text(
        f"/home/jovyan/project {PERSON_UID} True", timeout=SERVER_MS
    )
    screenshot(page, "journey-opened")


def find_nothing(page: Page, at: House) -> None:
    """Who is no member finds neither project, page, run, experiment nor content."""
    run = at.runs()[0]
    expect(page.locator("main")).not_to_contain_text(TITLE)
    for query in ("seats", "Conclusion", MARKER, run.id):
        page.goto(f"{at.address}{GALLERY}?q={query}")
        expect(page.locator("main")).not_to_contain_text("Seats departed")
    screenshot(page, "journey-outsider")
    otto = at.people["otto"]
    shas = [run.sources["script"], run.sources["executed"], *(a.sha256 for a in run.artifacts)]
    hidden = [
        f"{GALLERY}projects/{PROJECT}",
        f"{GALLERY}pages/{run.id}",
        f"{GALLERY}compare?runs={run.id},{at.runs()[1].id}",
        *(f"{GALLERY}pages/{run.id}/blobs/{sha}" for sha in shas),
        f"/hub/spawn/otto/{PROJECT}",
        f"/user/olga/{PROJECT}/lab",
        f"/user/emil/{PROJECT}/api/contents",
    ]
    for path in hidden:
        answer = otto.visit(path)
        assert answer.status_code in {403, 404}, (path, answer.status_code)
        assert TITLE not in answer.text
        assert MARKER not in answer.text
    assert run.mlflow_run_id is not None
    assert otto.visit("/services/mlflow/").status_code == 200
    for workspace in (PROJECT, "default", "other"):
        seen = otto.client.get(
            "/services/mlflow/api/2.0/mlflow/runs/get",
            params={"run_id": run.mlflow_run_id},
            headers={"X-MLFLOW-WORKSPACE": workspace},
        )
        assert seen.status_code in {403, 404}, (workspace, seen.status_code, seen.text)
        assert "val_mape" not in seen.text


def reach_nothing(at: House) -> None:
    """An outsider's server reaches neither another project's server nor this machine's ports."""
    otto = at.people["otto"]
    make_own_project(otto)
    otto.start_server("other")
    at.people["emil"].ready_server(PROJECT)
    engine = Engine()
    instance = at.hub.plan.instance
    theirs = engine.say(
        *("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"),
        f"nb2prod-{instance}-emil--{PROJECT}",
    )
    own = f"nb2prod-{instance}-otto--other"
    assert reaches(engine, own, at.hub.plan.inner_ip, at.hub.plan.service_port)
    assert not reaches(engine, own, theirs, 8888)
    if os.geteuid() == 0:
        # The database of this machine, somebody's notebook, the hub's proxy: all are beyond it.
        assert not reaches(engine, own, at.hub.plan.inner_ip, at.hub.plan.port)
    secret = engine.ask("exec", own, "/bin/sh", "-c", "ls -a /home/jovyan; id; touch /opt/x")
    assert secret.status != 0
    assert f"uid={PERSON_UID}" in secret.out


def make_own_project(person: Person) -> None:
    """Make the project `other`, by the API."""
    page = person.visit(PROJECTS)
    token = re.search(r'name="_xsrf" value="([0-9a-f]+)"', page.text)
    assert token is not None
    answer = person.client.post(
        PROJECTS,
        data={"name": "other", "title": "Other", "_xsrf": token[1]},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 200, answer.text


def reaches(engine: Engine, container: str, host: str, port: int) -> bool:
    """Whether a program in a container can open a connection."""
    program = f"import socket; socket.create_connection(({host!r}, {port}), timeout=3).close()"
    answer = engine.ask("exec", container, "/opt/kernel/bin/python", "-c", program)
    return answer.status == 0


@pytest.mark.timeout(600)
def test_owner_promotes_and_runs_in_processes(browser: Browser, tmp_path: Path) -> None:
    with (
        house(tmp_path / "home", "process", "olga") as at,
        signed_in(browser, at.address, "olga") as page,
    ):
        make_project(page)
        at.save_notebook("train.ipynb", *CELLS)
        open_project(page, TITLE)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        promote(page, "train@v1")
        ask_for_run(page, "train@v1")
        watched = panel_of(page).locator(".nb2prod-watched")
        expect(watched.locator("[data-status=succeeded]")).to_be_visible(timeout=SERVER_MS)
        page.goto(f"{at.address}{GALLERY}pages/{at.runs()[0].id}")
        expect(page.locator("main")).to_contain_text(MARKER)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_of_the_hub_fit_each_width_and_theme(
    browser: Browser, in_docker: House, width: int, theme: str
) -> None:
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": 800},
        "color_scheme": theme,
    }
    password = read_secret(in_docker.hub.home, Secret.ADMINISTRATOR_PASSWORD)
    with signed_in(browser, in_docker.address, ADMINISTRATOR, password, **options) as page:
        pages = {
            "login": "/hub/login",
            "signup": "/hub/signup",
            "authorize": "/hub/authorize",
            "token": "/hub/token",
            "admin": "/hub/admin",
            "not-found": "/hub/nowhere",
            "spawn-refused": f"/hub/spawn/{ADMINISTRATOR}/nobodys",
        }
        for name, path in pages.items():
            if name in {"login", "signup"}:
                context = browser.new_context(**options)
                visited = context.new_page()
            else:
                context, visited = None, page
            visited.goto(in_docker.address + path)
            screenshot(visited, f"hub-{name}-{width}-{theme}")
            overflow = visited.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, (name, overflow)
            if context is not None:
                context.close()


def test_address_without_sign_in_leads_to_the_form(in_docker: House) -> None:
    with httpx.Client(base_url=in_docker.address, follow_redirects=True, trust_env=False) as client:
        for path in (GALLERY, PROJECTS, "/services/mlflow/", "/"):
            answer = client.get(path, headers=BROWSER)
            assert "/hub/login" in str(answer.url), path
        assert client.get(f"{GALLERY}api/v1/projects").status_code == 401
