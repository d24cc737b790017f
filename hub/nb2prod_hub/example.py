"""The example project of a hub: ``python -m nb2prod_hub.example FOLDER``, run by ``nb2prod up``."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from nb2prod.cli.errors import exit_status
from nb2prod.cli.example import install_example_files, keep_models, promote_example
from nb2prod.cli.output import console, duration, error_console, styled_status
from nb2prod.errors import Nb2prodError, ProjectNotFound, RunUnsuccessful
from nb2prod.execution.models import RunRecord, RunRequest, RunStatus
from nb2prod.execution.runs import get_run, list_runs, request_run
from nb2prod.registry.environments import environment_of_image
from nb2prod.registry.lock import ObservedEnvironment, observe_environment
from nb2prod.registry.models import Version
from nb2prod.registry.versions import list_versions
from nb2prod.settings import Settings
from nb2prod.workspace.founding import adopt_repository, found_project
from nb2prod.workspace.members import require_role
from nb2prod.workspace.models import Project, Role
from nb2prod.workspace.workspace import Workspace, open_workspace
from nb2prod_hub.plan import Mode, Plan, read_plan

TITLE = "Seat demand"
RUN_TIMEOUT_S = 1800.0
LOOK_EACH_S = 0.5
GOES_ON = {RunStatus.QUEUED, RunStatus.RUNNING}


def main() -> int:
    """Install the example; returns the exit status."""
    settings = Settings.from_environment()
    try:
        plan = read_plan(settings.home)
        with open_workspace(settings) as workspace:
            install(workspace, plan, Path(sys.argv[1]).resolve())
    except Nb2prodError as error:
        error_console.print(f"Example: {error.message} ({error.code})", markup=False)
        return exit_status(error)
    return 0


def install(workspace: Workspace, plan: Plan, source: Path) -> None:
    """Make the example's project, its versions and one run of each, where they are missing.

    Raises
    ------
    RunUnsuccessful
        A run did not succeed; those that need its results are left out.
    """
    project = _project(workspace, plan, source.name)
    if not list_versions(project.repository):
        install_example_files(workspace, source, project)
    versions = promote_example(
        source,
        project,
        person=plan.administrator,
        environment=partial(_environment, plan, project),
    )
    for version in versions:
        _run_once(workspace, plan, project, version)


def _project(workspace: Workspace, plan: Plan, name: str) -> Project:
    try:
        found = require_role(workspace, name, plan.administrator, Role.EDITOR)
    except ProjectNotFound:
        console.print(f"Making the example project {name}")
        return found_project(workspace, name, title=TITLE, owner=plan.administrator)
    return adopt_repository(workspace, found)


def _environment(plan: Plan, project: Project, kernel_name: str) -> ObservedEnvironment:
    if plan.mode is Mode.PROCESS:
        return observe_environment(kernel_name)
    return environment_of_image(plan.home, project.image or plan.default_image, kernel_name)


def _run_once(workspace: Workspace, plan: Plan, project: Project, version: Version) -> None:
    runs = list_runs(
        workspace, person=plan.administrator, project=project.name, pipeline=version.pipeline
    )
    if any(run.status is RunStatus.SUCCEEDED for run in runs):
        return
    keep_models(workspace, project, person=plan.administrator)
    # One that an interrupted start asked for is waited for.
    run = next((run for run in runs if run.status in GOES_ON), None) or request_run(
        workspace,
        project,
        version,
        {},
        request=RunRequest(by=plan.administrator, via="cli", executor=plan.mode.value),
    )
    console.print(f"Running {run.reference}")
    ended = _wait(workspace, plan, run)
    console.print(f"  {styled_status(ended.status)} in {duration(ended.duration_s)}")
    if ended.status is not RunStatus.SUCCEEDED:
        raise RunUnsuccessful(
            f"{ended.reference} {ended.status.value}: {ended.reason}", status=ended.status.value
        )


def _wait(workspace: Workspace, plan: Plan, run: RunRecord) -> RunRecord:
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while run.status in GOES_ON and time.monotonic() < deadline:
        time.sleep(LOOK_EACH_S)
        run = get_run(workspace, run.id, person=plan.administrator)
    return run


if __name__ == "__main__":
    sys.exit(main())
