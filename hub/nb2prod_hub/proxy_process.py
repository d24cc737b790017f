"""Becomes the proxy: ``python -m nb2prod_hub.proxy_process``, run by the supervisor.

The proxy takes its token from its environment, where only its own account can read it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nb2prod
from nb2prod.errors import ToolMissing
from nb2prod.settings import Settings
from nb2prod_hub.plan import Plan, read_plan
from nb2prod_hub.secret_files import Secret, read_secret

PROGRAM = "configurable-http-proxy"


def main() -> None:
    """Replace this process by the proxy; does not return."""
    plan = read_plan(Settings.from_environment().home)
    environment = {
        **os.environ,
        "CONFIGPROXY_AUTH_TOKEN": read_secret(plan.home, Secret.PROXY),
        "NODE_ENV": "production",
    }
    program = find_proxy()
    os.execve(program, [program, *proxy_arguments(plan)], environment)  # noqa: S606


def find_proxy() -> str:
    """Return the path of the proxy's program.

    Raises
    ------
    ToolMissing
        It is neither in the repository's node_modules nor on the PATH.
    """
    own = Path(nb2prod.__file__).parents[1] / "node_modules" / ".bin"
    found = shutil.which(PROGRAM, path=str(own)) or shutil.which(PROGRAM)
    if found is None:
        raise ToolMissing(
            f"{PROGRAM} is missing: `make setup` in the repository, or `npm install --global"
            f" {PROGRAM}@5.3`."
        )
    return found


def proxy_arguments(plan: Plan) -> tuple[str, ...]:
    """Return the proxy's command line, without the program itself."""
    hub = f"http://{plan.inner_ip}:{plan.hub_port}"
    return (
        *("--ip", plan.bind_ip),
        *("--port", str(plan.port)),
        *("--api-ip", "127.0.0.1"),
        *("--api-port", str(plan.proxy_api_port)),
        *("--error-target", f"{hub}/hub/error"),
        *("--log-level", "warn"),
    )


if __name__ == "__main__":
    main()
