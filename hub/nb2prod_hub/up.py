"""``nb2prod up``: starts the whole workspace, and stays with it."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nb2prod.cli.context import require_none_running
from nb2prod.cli.output import console
from nb2prod.errors import SettingInvalid, ToolMissing
from nb2prod.settings import Settings
from nb2prod.workspace.announcement import Announcement, announced
from nb2prod.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from nb2prod.jobs.docker_client import DockerEngine
    from nb2prod_hub.plan import Plan
    from nb2prod_hub.supervisor_process import SupervisorProcess

EXTRAS = "nb2prod[hub,server,mlflow,docker,lab]"
PACKAGES = (
    "cronsim",
    "cryptography",
    "dbos",
    "fastapi",
    "httpx",
    "jupyterhub",
    "jupyterlab",
    "mlflow",
    "nativeauthenticator",
    "supervisor",
    "uvicorn",
)
LOOK_EACH_S = 0.3

MEANINGS = {
    "docker": "Each person's server and each run has a container of its own.",
    "process": "Servers and runs are processes of your own account: nothing keeps people apart."
    " A Docker engine would.",
}


def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port that people open; by default NB2PROD_PORT or 8000."
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen at; by default NB2PROD_BIND or 127.0.0.1."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="docker or process: how people's servers are kept apart; by default NB2PROD_MODE,"
            " or docker where an engine answers."
        ),
    ] = None,
    example: Annotated[
        Path | None,
        typer.Option(help="A folder with an example project, promoted and run once at the start."),
    ] = None,
) -> None:
    """Start the whole workspace: hub, gallery, MLflow and runs, until Ctrl-C."""
    settings = Settings.from_environment(options={"NB2PROD_BIND": host, "NB2PROD_MODE": mode})
    require_none_running(settings)
    _require_own_config(settings)
    _require_programs()
    interruption = Interruption()
    # A container manager ends us by the second; it is to mean the same as Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption.interrupt)
    with open_workspace(settings), contextlib.ExitStack() as stack:
        engine, plan = _prepare(settings, port)
        stack.enter_context(announced(settings, _announcement(settings, plan)))
        _write(plan)
        if engine is not None:
            from nb2prod_hub.docker_setup import firewall
            from nb2prod_hub.images import know_image

            stack.enter_context(engine)
            know_image(engine, plan, plan.default_image)
            stack.enter_context(firewall(engine, plan))
        _run(plan, example, interruption)


class Interruption:
    """A Ctrl-C that is not lost.

    Where one comes while Python calls something back of its own accord (a `__del__`, the end of an
    import's lock), Python prints the exception, and goes on. So who waits asks here too.
    """

    def __init__(self) -> None:
        self._has_come = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self._has_come = True
        raise KeyboardInterrupt

    def require_none(self) -> None:
        """Raise `KeyboardInterrupt` if one came."""
        if self._has_come:
            raise KeyboardInterrupt


def _prepare(settings: Settings, port: int | None) -> tuple[DockerEngine | None, Plan]:
    from nb2prod_hub.docker_setup import docker_inside, find_engine
    from nb2prod_hub.plan import Mode, find_plan
    from nb2prod_hub.planning import Inside, make_plan, new_instance, require_free_port

    wanted = settings.port if port is None else port
    # First of all: a first start takes minutes, and should not end in `port taken`.
    require_free_port(settings.bind_ip, wanted)
    former = find_plan(settings.home)
    instance = new_instance() if former is None else former.instance
    engine = find_engine(settings, former)
    if engine is None:
        inside = Inside(mode=Mode.PROCESS)
    else:
        inside = docker_inside(engine, settings, former, instance=instance)
    return engine, make_plan(settings, former, inside, instance=instance, port=wanted)


def _announcement(settings: Settings, plan: Plan) -> Announcement:
    from nb2prod.execution.tracking_store import without_password

    return Announcement(
        address=plan.public_url,
        has_login=True,
        mlflow_url=plan.mlflow_url,
        mlflow_store=without_password(settings.mlflow_uri),
    )


def _write(plan: Plan) -> None:
    from nb2prod_hub.plan import write_plan
    from nb2prod_hub.planning import require_free_inner_ports
    from nb2prod_hub.secret_files import make_administrator_password, make_secrets

    require_free_inner_ports(plan)
    is_first = not (plan.folder / "jupyterhub.sqlite").exists()
    make_secrets(plan.home)
    if is_first:
        make_administrator_password(plan.home)
    write_plan(plan)


def _run(plan: Plan, example: Path | None, interruption: Interruption) -> None:
    from nb2prod_hub.example_process import ExampleProcess
    from nb2prod_hub.readiness import wait_until_ready
    from nb2prod_hub.supervisor_process import SupervisorProcess

    supervisor = SupervisorProcess(plan)

    def look() -> None:
        interruption.require_none()
        supervisor.keep_alive()

    with _stopped_at_the_end(supervisor), ExampleProcess(plan, example) as installing:
        console.print("Starting the workspace: proxy, hub, service, MLflow, dispatcher")
        supervisor.start()
        wait_until_ready(plan, keep_alive=look)
        _print_address(plan)
        installing.start()
        while True:
            look()
            installing.wait(timeout_s=LOOK_EACH_S)


@contextlib.contextmanager
def _stopped_at_the_end(supervisor: SupervisorProcess) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopping")
        supervisor.stop()
        console.print("Stopped. People's servers and runs go on; `nb2prod up` finds them again.")
    finally:
        supervisor.stop()


def _print_address(plan: Plan) -> None:
    from nb2prod_hub.secret_files import Secret, find_secret

    console.print(f"The workspace is at [bold]{plan.public_url}[/]", soft_wrap=True)
    password = find_secret(plan.home, Secret.ADMINISTRATOR_PASSWORD)
    said = "the one that you chose" if password is None else f"[bold]{escape(password)}[/]"
    console.print(
        f"  administrator: [bold]{escape(plan.administrator)}[/]  password: {said}", soft_wrap=True
    )
    console.print(f"  mode: {plan.mode.value}. {MEANINGS[plan.mode.value]}", soft_wrap=True)
    console.print("[dim]Ctrl-C stops it.[/]")


def _require_programs() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ToolMissing(
            f"The workspace needs more packages ({', '.join(missing)} missing):"
            f" `pip install '{EXTRAS}'`."
        )
    if shutil.which("setpriv") is None:
        raise ToolMissing("`setpriv` is missing; it is part of util-linux.")
    from nb2prod_hub.proxy_process import find_proxy

    find_proxy()


def _require_own_config(settings: Settings) -> None:
    # JupyterHub says nothing where the file is missing, and would let in other people.
    if settings.hub_config is not None and not settings.hub_config.is_file():
        raise SettingInvalid(f"NB2PROD_HUB_CONFIG is {settings.hub_config}, and there is no file.")
