"""JupyterHub's configuration, from the workspace's plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nb2prod.settings import Settings
from nb2prod_hub.account_names import ACCOUNT_NAME
from nb2prod_hub.plan import Mode, Plan, read_plan
from nb2prod_hub.secret_files import Secret, read_secret

PASSWORD_LENGTH = 10
FAILED_LOGINS = 8
LOCKED_S = 600
STARTS_AT_ONCE = 20
SERVER_START_S = 120
POLL_INTERVAL_S = 10

# A script in the server of one project can't look into a window with that of another; the image
# has the same in its own settings.
SERVER_HEADERS = {"headers": {"Cross-Origin-Opener-Policy": "noopener-allow-popups"}}

PROJECTS_PATH = "/services/workspace/projects"
SERVICES = ("workspace", "mlflow")


def configure(c: Any) -> Path | None:
    """Fill JupyterHub's configuration.

    Returns
    -------
    Path or None
        The file of the administrator's own that is to be loaded after this.
    """
    settings = Settings.from_environment()
    plan = read_plan(settings.home)
    _configure_hub(c, plan)
    _configure_roles(c)
    _configure_services(c, plan)
    _configure_accounts(c, plan)
    _configure_servers(c, plan)
    return settings.hub_config


def _configure_hub(c: Any, plan: Plan) -> None:
    from nb2prod_hub.page_guard import TORNADO_SETTINGS, guard_pages
    from nb2prod_hub.watched_proxy import WatchedProxy

    guard_pages()
    hub = c.JupyterHub
    hub.tornado_settings = TORNADO_SETTINGS
    hub.bind_url = f"http://{plan.bind_ip}:{plan.port}"
    hub.hub_bind_url = f"http://{plan.inner_ip}:{plan.hub_port}"
    hub.db_url = f"sqlite:///{plan.folder / 'jupyterhub.sqlite'}"
    hub.upgrade_db = True
    hub.cookie_secret = bytes.fromhex(read_secret(plan.home, Secret.COOKIE))
    hub.proxy_class = WatchedProxy
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = plan.proxy_api_url
    c.ConfigurableHTTPProxy.auth_token = read_secret(plan.home, Secret.PROXY)
    # People's servers go on while the hub is restarted.
    hub.cleanup_servers = False
    hub.cleanup_proxy = False
    hub.default_url = PROJECTS_PATH
    hub.template_paths = [str(Path(__file__).with_name("templates"))]
    hub.template_vars = {"has_accounts": True, "minimum_password_length": PASSWORD_LENGTH}
    hub.allow_named_servers = True
    # A code that was not asked for by us is worth nothing to who injects it.
    hub.oauth_require_pkce = True
    hub.concurrent_spawn_limit = STARTS_AT_ONCE


def _configure_roles(c: Any) -> None:
    c.JupyterHub.extra_user_scopes = {f"access:services!service={name}" for name in SERVICES}
    c.JupyterHub.load_roles = [
        {
            "name": "nb2prod-workspace",
            "description": "Look up people, show and stop their servers",
            "scopes": ["read:users", "read:servers", "delete:servers"],
            "services": ["workspace"],
        },
        {
            "name": "nb2prod-mlflow",
            "description": "Look up people",
            "scopes": ["read:users"],
            "services": ["mlflow"],
        },
    ]


def _configure_services(c: Any, plan: Plan) -> None:
    c.JupyterHub.services = [
        {
            "name": "workspace",
            "url": f"http://{plan.inner_ip}:{plan.service_port}",
            "api_token": read_secret(plan.home, Secret.SERVICE),
            "oauth_redirect_uri": "/services/workspace/oauth_callback",
            "oauth_no_confirm": True,
        },
        {
            "name": "mlflow",
            "url": f"http://{plan.inner_ip}:{plan.mlflow_port}",
            "api_token": read_secret(plan.home, Secret.MLFLOW),
            "oauth_redirect_uri": "/services/mlflow/oauth_callback",
            "oauth_no_confirm": True,
        },
    ]


def _configure_accounts(c: Any, plan: Plan) -> None:
    from nb2prod_hub.accounts import AccountAuthenticator

    c.JupyterHub.authenticator_class = AccountAuthenticator
    # On our own class only: another authenticator must not let everybody in by this.
    accounts = c.AccountAuthenticator
    accounts.home = str(plan.home)
    accounts.admin_users = {plan.administrator}
    # Who has a password is let in once an administrator approved the account.
    accounts.allow_all = True
    accounts.open_signup = False
    accounts.username_pattern = rf"^{ACCOUNT_NAME}$"
    accounts.minimum_password_length = PASSWORD_LENGTH
    accounts.check_common_password = True
    accounts.allowed_failed_logins = FAILED_LOGINS
    accounts.seconds_before_next_try = LOCKED_S


def _configure_servers(c: Any, plan: Plan) -> None:
    spawner = c.Spawner
    spawner.disable_user_config = True
    spawner.start_timeout = SERVER_START_S
    spawner.poll_interval = POLL_INTERVAL_S
    spawner.server_token_scopes = server_token_scopes
    c.ProjectSpawner.home = str(plan.home)
    if plan.mode is Mode.DOCKER:
        from nb2prod_hub.docker_spawner import ProjectDockerSpawner

        c.JupyterHub.spawner_class = ProjectDockerSpawner
        return
    from nb2prod_hub.process_spawner import ProjectProcessSpawner

    c.JupyterHub.spawner_class = ProjectProcessSpawner
    c.ProjectProcessSpawner.interrupt_timeout = 10
    c.ProjectProcessSpawner.args = list(process_server_arguments())


def process_server_arguments() -> tuple[str, ...]:
    """Return what servers are told where no image's own settings say it."""
    settings = Path(__file__).with_name("lab_settings")
    return (
        f"--LabApp.app_settings_dir={settings}",
        f"--ServerApp.tornado_settings={SERVER_HEADERS}",
        "--LabApp.extension_manager=readonly",
        "--LanguageServerManager.autodetect=False",
        # The workspace's account is root where its administrator is.
        *(("--allow-root",) if os.geteuid() == 0 else ()),
    )


def server_token_scopes(spawner: Any) -> list[str]:
    """Return what a server's own token may do: speak for its person, in its project only."""
    server = f"{spawner.user.name}/{spawner.name}"
    return [
        "users:activity!user",
        f"access:servers!server={server}",
        *(f"access:services!service={name}" for name in SERVICES),
    ]
