"""The workspace service behind the hub: ``python -m nb2prod_hub.workspace_service``.

Reads the workspace's plan (`plan.Plan`) from its folder (``NB2PROD_HOME``), and nothing else.
"""

from __future__ import annotations

from nb2prod.registry.environments import environment_of_image
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.server.app import create_app
from nb2prod.server.gallery import EnvironmentOf
from nb2prod.settings import Settings
from nb2prod.workspace.projects import Project
from nb2prod.workspace.workspace import Workspace, open_workspace
from nb2prod_hub.login import HubLogin
from nb2prod_hub.login_service import behind_login, serve
from nb2prod_hub.plan import Mode, Plan, read_plan
from nb2prod_hub.secret_files import Secret, read_secret
from nb2prod_hub.servers import HubServers

SERVICE = "workspace"
PREFIX = f"/services/{SERVICE}"


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.from_environment()
    plan = read_plan(settings.home)
    with open_workspace(settings) as workspace:
        serve(create_service(workspace, plan), plan.inner_ip, plan.service_port)


def create_service(workspace: Workspace, plan: Plan) -> HubLogin:
    """Return the workspace service with the login before it."""
    app = create_app(
        workspace,
        prefix=PREFIX,
        is_behind_login=True,
        executor=plan.mode.value,
        environment_of=_environments(plan),
        servers=HubServers(plan.hub_api_url, read_secret(plan.home, Secret.SERVICE)),
    )
    return behind_login(
        app,
        workspace,
        plan,
        secret=Secret.SERVICE,
        service=SERVICE,
        public=("/static/",),
        knows_administrators=True,
    )


def _environments(plan: Plan) -> EnvironmentOf | None:
    if plan.mode is Mode.PROCESS:
        return None

    def of_image(project: Project, kernel_name: str) -> ObservedEnvironment:
        image = project.image or plan.default_image
        return environment_of_image(plan.home, image, kernel_name)

    return of_image


if __name__ == "__main__":
    main()
