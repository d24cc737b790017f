"""The examples for CI: the shell steps of both files are run as they stand, by the demo.

What is left out is what GitHub and GitLab do themselves (checkout, Python, keeping files), and
the step that installs nb2prod, since it needs a package registry: the one that is tested is on
the path instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml  # type: ignore[import-untyped]

from nb2prod.cli.example import install_example_files
from nb2prod.execution.models import CiContext, Profile, RunRecord, RunStatus
from nb2prod.execution.runs import list_runs
from nb2prod.registry.models import Reference
from nb2prod.registry.versions import list_versions, load_version
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import Project, Role, add_member, found_project
from nb2prod.workspace.tokens import create_project_token
from tests.helpers.remote import RemoteWorkspace, remote_workspace

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/seat-demand"
GITHUB = ROOT / "docs/examples/ci/github-workflow.yml"
GITLAB = ROOT / "docs/examples/ci/gitlab-ci.yml"
PROJECT = "seat-demand"
INSTALL = "pip install 'nb2prod[ci]'"
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
COMMIT, HEAD = "c0ffee" * 6 + "abcd", "facade" * 6 + "abcd"
TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Team:
    """A workspace with the demo, and a repository of the team's with its notebook."""

    remote: RemoteWorkspace
    project: Project
    token: str
    checkout: Path

    def runs(self) -> list[RunRecord]:
        """All runs, newest first."""
        return list(list_runs(self.remote.workspace, person="olga", project=PROJECT, limit=100))

    def versions(self) -> list[str]:
        return [str(entry.reference) for entry in list_versions(self.project.repository)]

    def page(self, record: RunRecord) -> str:
        """The run's page, in the browser of somebody of the project."""
        with self.remote.running.signed_in("olga") as browser:
            answer = browser.get(f"/services/workspace/pages/{record.id}", follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    def change(self, old: str, new: str) -> None:
        """Change a notebook in the team's repository."""
        path = self.checkout / "train.ipynb"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What a job's shell has: little of this machine's, and nothing of our workspace's home."""
        programs = Path(sys.executable).parent
        return {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.checkout.parent),
            "NB2PROD_HOME": str(self.checkout.parent / "unused"),
            "LANG": "C.UTF-8",
            **more,
        }


@dataclass(frozen=True, kw_only=True)
class Job:
    """One of a file's jobs: the lines of its shell steps, each with its environment."""

    steps: tuple[tuple[str, Mapping[str, str]], ...]
    shell: tuple[str, ...]
    summary: str

    def run(self, team: Team) -> subprocess.CompletedProcess[str]:
        """Run its steps one after the other, until one of them fails."""
        (team.checkout / "report.xml").unlink(missing_ok=True)
        (team.checkout / self.summary).unlink(missing_ok=True)
        for script, environment in self.steps:
            done = subprocess.run(
                [*self.shell, "-c", script],
                cwd=team.checkout,
                env=team.environment(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            if done.returncode:
                break
        return done


def github_job(team: Team, name: str) -> Job:
    """Read a job of the workflow as GitHub does; its default shell is ``bash -e``."""
    workflow = yaml.safe_load(GITHUB.read_text())
    values = {
        "vars.NB2PROD_SERVER": team.remote.running.url,
        "secrets.NB2PROD_TOKEN": team.token,
        "github.event.pull_request.head.sha": HEAD,
    }

    def read(environment: Mapping[str, str]) -> dict[str, str]:
        return {
            key: EXPRESSION.sub(lambda match: values[match[1]], text)
            for key, text in environment.items()
        }

    own = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_SHA": COMMIT,
        "GITHUB_REF_NAME": "12/merge" if name == "try" else "main",
        "GITHUB_HEAD_REF": "better-lags" if name == "try" else "",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "example/seats",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_STEP_SUMMARY": str(team.checkout / "step_summary.md"),
        **read(workflow["env"]),
    }
    steps = [step for step in workflow["jobs"][name]["steps"] if "run" in step]
    assert [step["run"] for step in steps if step["run"] == INSTALL] == [INSTALL]
    return Job(
        steps=tuple(
            (step["run"], {**own, **read(step.get("env", {}))})
            for step in steps
            if step["run"] != INSTALL
        ),
        shell=("bash", "-e"),
        summary="step_summary.md",
    )


def gitlab_job(team: Team, name: str) -> Job:
    """Read a job as GitLab does: its lines are one script, which ends at what fails."""
    file = yaml.safe_load(GITLAB.read_text())
    assert file["default"]["before_script"] == [INSTALL]
    own = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": HEAD if name == "try" else COMMIT,
        "CI_COMMIT_REF_NAME": "better-lags" if name == "try" else "main",
        "CI_JOB_URL": "https://gitlab.com/example/seats/-/jobs/4711",
        "NB2PROD_SERVER": team.remote.running.url,
        "NB2PROD_TOKEN": team.token,
    }
    return Job(
        steps=(("\n".join(file[name]["script"]), own),),
        shell=("bash", "-eo", "pipefail"),
        summary="summary.md",
    )


HOSTS = pytest.mark.parametrize(
    ("job", "url"),
    [
        (github_job, "https://github.com/example/seats/actions/runs/4711"),
        (gitlab_job, "https://gitlab.com/example/seats/-/jobs/4711"),
    ],
    ids=["github", "gitlab"],
)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteWorkspace]:
    with remote_workspace(tmp_path_factory.mktemp("ci"), is_tracked=True) as running:
        yield running


@pytest.fixture(scope="module")
def project(remote: RemoteWorkspace) -> Project:
    founded = found_project(remote.workspace, PROJECT, owner="olga")
    add_member(remote.workspace, PROJECT, "edda", Role.EDITOR, person="olga")
    install_example_files(remote.workspace, EXAMPLE, founded)
    return founded


@pytest.fixture
def team(remote: RemoteWorkspace, project: Project, tmp_path: Path) -> Team:
    _, secret = create_project_token(remote.workspace, PROJECT, person="edda", title="CI")
    checkout = Repository.create(tmp_path / "checkout").root
    shutil.copy(EXAMPLE / "train.ipynb", checkout)
    return Team(remote=remote, project=project, token=secret, checkout=checkout)


def assert_page_and_reports_tell(
    team: Team, job: Job, record: RunRecord, *, commit: str, branch: str, url: str
) -> None:
    """Look at what a run of CI has left: on its page, in the report, in the summary."""
    assert (record.requested_by, record.requested_via) == ("edda", "ci")
    assert record.ci == CiContext(commit=commit, branch=branch, url=url)
    page = team.page(record)
    assert commit[:10] in page
    assert branch in page
    assert f'href="{url}"' in page
    suite = ET.parse(team.checkout / "report.xml").getroot()[0]
    assert suite.get("name") == record.reference
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("tests", "0")) == len(list(suite.iter("testcase"))) == len(record.cells)
    summary = (team.checkout / job.summary).read_text().replace("\\", "")
    assert re.search(r"^\| mape_ensemble \| \d", summary, re.MULTILINE)
    assert "| market | JFK-DL |" in summary
    assert f"/services/workspace/pages/{record.id})" in summary


@HOSTS
def test_pull_request_is_checked_and_has_a_smoke_run_of_what_it_proposes(
    team: Team, job: Callable[[Team, str], Job], url: str
) -> None:
    team.change("# How many seats will a market fly?", f"# How many seats, says {url}?")
    runs, before = len(team.runs()), team.versions()

    done = (found := job(team, "try")).run(team)

    assert done.returncode == 0, done.stdout + done.stderr
    record = team.runs()[0]
    assert len(team.runs()) == runs + 1
    assert (record.status, record.profile, record.pipeline) == (
        RunStatus.SUCCEEDED,
        Profile.SMOKE,
        "train-candidate",
    )
    assert record.parameters["epochs"] == 2
    assert (
        f"says {url}?"
        in load_version(team.project.repository, Reference.parse(record.reference)).script
    )
    assert "A smoke run, with the pipeline" in team.page(record)
    assert set(team.versions()) - set(before) == {record.reference}
    assert_page_and_reports_tell(team, found, record, commit=HEAD, branch="better-lags", url=url)


@HOSTS
def test_merge_is_promoted_and_run(team: Team, job: Callable[[Team, str], Job], url: str) -> None:
    team.change("# How many seats will a market fly?", f"# How many seats, merged by {url}?")
    before = team.versions()

    done = (found := job(team, "promote")).run(team)

    assert done.returncode == 0, done.stdout + done.stderr
    record = team.runs()[0]
    assert set(team.versions()) - set(before) == {record.reference}
    assert (record.status, record.profile, record.pipeline) == (
        RunStatus.SUCCEEDED,
        Profile.FULL,
        "train",
    )
    version = load_version(team.project.repository, Reference.parse(record.reference))
    assert (version.author, f"merged by {url}?" in version.script) == ("edda", True)
    assert_page_and_reports_tell(team, found, record, commit=COMMIT, branch="main", url=url)


@HOSTS
@pytest.mark.parametrize("name", ["try", "promote"])
def test_notebook_that_fails_makes_the_job_fail_and_says_where(
    team: Team, job: Callable[[Team, str], Job], url: str, name: str
) -> None:
    said = f"no lags for {url} at {name}"
    team.change("import math\\n", f"import math\\nassert math is None, {said!r}\\n")

    done = (found := job(team, name)).run(team)

    assert done.returncode == 1
    assert team.runs()[0].status is RunStatus.FAILED
    assert f"AssertionError: {said}" in done.stderr
    assert ET.parse(team.checkout / "report.xml").getroot().get("failures") == "1"
    assert "❌" in (team.checkout / found.summary).read_text()


@HOSTS
def test_notebook_that_the_check_refuses_is_promoted_and_run_by_nobody(
    team: Team, job: Callable[[Team, str], Job], url: str
) -> None:
    team.change("import math\\n", "print(later)\\n")
    before = (len(team.runs()), team.versions())

    tried, promoted = (job(team, name).run(team) for name in ("try", "promote"))

    assert (tried.returncode, promoted.returncode) == (1, 4)
    assert "later" in tried.stdout
    assert "later" in promoted.stderr
    assert (len(team.runs()), team.versions()) == before


def test_token_of_another_project_promotes_and_runs_nothing_here(
    team: Team, remote: RemoteWorkspace
) -> None:
    before = (len(team.runs()), team.versions())
    elsewhere = Team(
        remote=remote, project=team.project, token=remote.token, checkout=team.checkout
    )

    done = github_job(elsewhere, "promote").run(elsewhere)

    assert done.returncode == 3
    assert "nothing at this address" in done.stderr
    assert (len(team.runs()), team.versions()) == before


def test_workflow_uses_only_actions_of_github_itself() -> None:
    jobs = yaml.safe_load(GITHUB.read_text())["jobs"].values()

    used = {step["uses"] for job in jobs for step in job["steps"] if "uses" in step}

    assert used == {"actions/checkout@v4", "actions/setup-python@v5", "actions/upload-artifact@v4"}
