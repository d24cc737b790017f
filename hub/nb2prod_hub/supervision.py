"""The supervisor's configuration: which processes a workspace is, and in which order.

See docs/adr/0008: all are siblings, and die with the supervisor.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nb2prod_hub.plan import Plan

CONFIG_FILE = "supervisord.conf"
SUPERVISOR_LOG = "supervisord.log"
LOG_BYTES = 5_000_000
LOG_FILES = 3

# Killed by the kernel as soon as the parent is dead, so that the next start finds nobody.
# People's servers and runs are not: the signal is not inherited by a fork.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")

PROXY, HUB, SERVICE, MLFLOW, DISPATCHER = "proxy", "hub", "service", "mlflow", "dispatcher"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process of the workspace.

    Parameters
    ----------
    stop_timeout_s
        How long it may take to end in good order before it is killed.
    """

    name: str
    command: Sequence[str]
    stop_timeout_s: int = 15


def programs() -> tuple[Program, ...]:
    """Return the processes of a workspace in the order in which they start."""
    return (
        Program(name=PROXY, command=_module("nb2prod_hub.proxy_process"), stop_timeout_s=5),
        Program(name=HUB, command=(*_module("jupyterhub"), "--config", str(hub_config_file()))),
        Program(name=SERVICE, command=_module("nb2prod_hub.workspace_service")),
        Program(name=MLFLOW, command=_module("nb2prod_hub.mlflow_service")),
        Program(name=DISPATCHER, command=_module("nb2prod_hub.dispatcher")),
    )


def hub_config_file() -> Path:
    """Return JupyterHub's configuration file, which is part of this package."""
    return Path(__file__).with_name("jupyterhub_config.py")


def log_file(plan: Plan, program: str) -> Path:
    """Return the file that a process's output goes to."""
    return plan.logs / f"{program}.log"


def supervisor_config(plan: Plan) -> str:
    """Return the configuration as text; it holds no secret."""
    sections = [
        _section(
            "supervisord",
            nodaemon="true",
            silent="true",
            logfile=plan.logs / SUPERVISOR_LOG,
            logfile_maxbytes=LOG_BYTES,
            logfile_backups=LOG_FILES,
            pidfile=plan.folder / "supervisord.pid",
            umask="022",
            # Said outright, since as root it would warn.
            user=getpass.getuser() if os.geteuid() == 0 else None,
        )
    ]
    for place, program in enumerate(programs(), start=1):
        sections.append(
            _section(
                f"program:{program.name}",
                command=shlex.join((*DIE_WITH_PARENT, *program.command)),
                priority=place,
                directory=plan.folder,
                autorestart="true",
                startsecs=2,
                # Each try waits a second longer than the one before: this is days.
                startretries=1000,
                stopwaitsecs=program.stop_timeout_s,
                redirect_stderr="true",
                stdout_logfile=log_file(plan, program.name),
                stdout_logfile_maxbytes=LOG_BYTES,
                stdout_logfile_backups=LOG_FILES,
            )
        )
    return "\n".join(sections)


def supervisor_command(config: Path) -> tuple[str, ...]:
    """Return the command that runs the supervisor as a child that dies with its parent."""
    return (*DIE_WITH_PARENT, *_module("supervisor.supervisord"), "--configuration", str(config))


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _section(name: str, **values: object) -> str:
    # The supervisor expands what follows a percent sign.
    lines = [
        f"{key} = {str(value).replace('%', '%%')}"
        for key, value in values.items()
        if value is not None
    ]
    return "\n".join((f"[{name}]", *lines, ""))
