"""A JupyterHub with DockerSpawner's own defaults, for bench/spawn.py to compare with.

Besides where things are, nothing is configured: sign-in and tokens are needed to ask at all, and
named servers so that both hubs are asked the same.
"""

import json
import os
from typing import Any

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821
given = json.loads(os.environ["BENCH_PLAIN_HUB"])

c.JupyterHub.bind_url = f"http://127.0.0.1:{given['port']}"
c.JupyterHub.hub_ip = given["address"]
c.JupyterHub.hub_port = given["hub_port"]
c.JupyterHub.db_url = "sqlite:///plain.sqlite"
c.JupyterHub.allow_named_servers = True
c.ConfigurableHTTPProxy.command = given["proxy_command"]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{given['proxy_port']}"

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "bench", "api_token": given["token"]}]
c.JupyterHub.load_roles = [
    {"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers"]}
]

c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = given["image"]
c.DockerSpawner.network_name = given["network"]
c.DockerSpawner.use_internal_ip = True
