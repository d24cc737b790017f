"""MLflow behind the hub: ``python -m nb2prod_hub.mlflow_service``; one process, one worker.

MLflow knows it as the app plug-in ``nb2prod``, too: ``mlflow server --app-name nb2prod
--workers 1`` in the environment of a workspace (``NB2PROD_HOME``) serves the same.
"""

from __future__ import annotations

from nb2prod.settings import Settings
from nb2prod.workspace.projects import list_all_projects
from nb2prod.workspace.workspace import Workspace, open_workspace
from nb2prod_hub.login import HubLogin
from nb2prod_hub.login_service import behind_login, serve
from nb2prod_hub.mlflow_app import MlflowBackend, MlflowSettings
from nb2prod_hub.mlflow_gate import MlflowGate
from nb2prod_hub.mlflow_projects import ProjectDirectory
from nb2prod_hub.plan import Plan, read_plan
from nb2prod_hub.secret_files import Secret

SERVICE = "mlflow"
PREFIX = f"/services/{SERVICE}"


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.from_environment()
    plan = read_plan(settings.home)
    with open_workspace(settings) as workspace:
        serve(create_service(workspace, plan), plan.inner_ip, plan.mlflow_port)


def create_app() -> HubLogin:
    """Return the application for MLflow's own ``mlflow server``; the entry point ``mlflow.app``."""
    settings = Settings.from_environment()
    # Open as long as the process lives.
    workspace = open_workspace(settings).__enter__()
    return create_service(workspace, read_plan(settings.home))


def create_service(workspace: Workspace, plan: Plan) -> HubLogin:
    """Return MLflow with the gate and the login before it."""
    settings = MlflowSettings(
        database_url=workspace.settings.mlflow_uri,
        artifact_folder=plan.home / "mlflow",
        prefix=PREFIX,
        projects=frozenset(project.name for project in list_all_projects(workspace)),
    )
    gate = MlflowGate(MlflowBackend(settings), ProjectDirectory(workspace), prefix=PREFIX)
    return behind_login(
        gate,
        workspace,
        plan,
        secret=Secret.MLFLOW,
        service=SERVICE,
        public=("/static-files/", "/health", "/nb2prod.js"),
    )


if __name__ == "__main__":
    main()
