"""How a service of ours runs behind the hub's login: the same for each of them."""

from __future__ import annotations

import logging
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from nb2prod.workspace.tokens import ci_identity_of, identity_of
from nb2prod.workspace.workspace import Workspace
from nb2prod_hub.login import CALLBACK, HubLogin, LoginSettings
from nb2prod_hub.login_hub import HubAccess, HubClient
from nb2prod_hub.plan import Plan
from nb2prod_hub.secret_files import Secret, read_secret

GRACE_S = 5
MLFLOW = "mlflow"


def behind_login(
    app: ASGIApp,
    workspace: Workspace,
    plan: Plan,
    *,
    secret: Secret,
    service: str,
    public: tuple[str, ...],
    knows_administrators: bool = False,
) -> HubLogin:
    """Put a service behind the hub's login.

    Parameters
    ----------
    secret
        Which stored token is the service's.
    service
        Its name in the hub; its path is ``/services/<name>``.
    public
        Paths below that, from a slash on, below which anybody may read.
    knows_administrators
        Whether the service asks who is an administrator.
    """
    prefix = f"/services/{service}"
    access = HubAccess(
        service=service,
        api_url=plan.hub_api_url,
        api_token=read_secret(plan.home, secret),
        redirect_path=f"{prefix}/{CALLBACK}",
    )
    settings = LoginSettings(
        prefix=prefix,
        port=plan.port,
        public=tuple(prefix + path for path in public),
        proxies=frozenset({"127.0.0.1", plan.inner_ip}),
    )
    hub = HubClient(access, knows_administrators=knows_administrators)
    # A run's token is for MLflow alone: a run can't promote, or ask for runs, as its person. One
    # that a person made for CI may do both, and has no business in MLflow.
    find = identity_of if service == MLFLOW else ci_identity_of
    return HubLogin(app, settings, hub, own_token_identity=partial(find, workspace))


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Serve an application in this one process, until SIGTERM or SIGINT."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Each look-up at the hub would be a line.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        # The login knows whose word on the browser's protocol counts.
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run()
