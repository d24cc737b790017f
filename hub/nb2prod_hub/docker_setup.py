"""What a workspace needs of the Docker engine before it starts."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from nb2prod.cli.output import console
from nb2prod.errors import Conflict, EngineUnreachable, Nb2prodError
from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.settings import Settings
from nb2prod_hub.firewall import can_filter, forget_gone, protect, unprotect
from nb2prod_hub.images import ensure_image
from nb2prod_hub.plan import Mode, Plan
from nb2prod_hub.planning import Inside

log = logging.getLogger(__name__)

# A daemon that was just started answers late; one that hangs is none.
CONNECT_TIMEOUT_S = 10.0


def find_engine(settings: Settings, former: Plan | None) -> DockerEngine | None:
    """Return the engine to work with; `None` for mode `process`.

    Parameters
    ----------
    settings
        Their mode is what is wanted; none is given where the machine is to decide.
    former
        The plan of the start before. A workspace that isolated people does not stop to, because
        an engine is down.

    Raises
    ------
    EngineUnreachable
        Mode `docker` is wanted, and no engine answers.
    Conflict
        The workspace worked with an engine until now, and none answers.
    """
    if settings.mode == Mode.PROCESS:
        return None
    try:
        return DockerEngine.connect(timeout_s=CONNECT_TIMEOUT_S)
    except EngineUnreachable as error:
        if settings.mode == Mode.DOCKER:
            raise
        if former is not None and former.mode is Mode.DOCKER:
            raise Conflict(
                "This workspace kept people apart in containers until now, and no Docker engine"
                " answers. Start the engine; or say that nobody need be kept apart:"
                " `--mode process`."
            ) from error
        return None


def docker_inside(
    engine: DockerEngine, settings: Settings, former: Plan | None, *, instance: str
) -> Inside:
    """Make the workspace's own network and, where it is missing, its image.

    Raises
    ------
    ImageMissing
        The image is not on this machine, and can't be made.
    EngineUnreachable, EngineRefused
        The engine does not answer, or refuses.
    """
    ensure_image(engine, settings.image)
    subnet = former.inner_subnet if former is not None else ""
    network = engine.ensure_network(
        f"nb2prod-{instance}",
        labels={"nb2prod.instance": instance},
        pool=settings.network_pool,
        subnet=subnet or None,
    )
    return Inside(
        mode=Mode.DOCKER,
        ip=network.gateway,
        subnet=network.subnet,
        default_image=settings.image,
    )


@contextmanager
def firewall(engine: DockerEngine, plan: Plan) -> Iterator[None]:
    """Keep containers from what is none of theirs on this machine, or say that nothing does.

    The rules stay as long as people's servers or runs do.
    """
    try:
        if can_filter():
            protect(plan)
            forget_gone(_instances(engine))
            refused = None
        else:
            refused = "that takes root, and iptables"
    except (OSError, subprocess.SubprocessError) as error:
        refused = str(error)
    if refused is not None:
        log.warning("No rules of a firewall for containers, reason=%s", refused)
        console.print(
            "[yellow]Containers, those of runs too, can reach other services of this machine[/]:"
            f" {refused}.",
            soft_wrap=True,
        )
        yield
        return
    try:
        yield
    finally:
        _unprotect_if_unused(engine, plan)


def _instances(engine: DockerEngine) -> set[str]:
    networks = engine.api.networks(filters={"label": "nb2prod.instance"})
    return {network["Labels"]["nb2prod.instance"] for network in networks}


def _unprotect_if_unused(engine: DockerEngine, plan: Plan) -> None:
    try:
        if not engine.containers({"nb2prod.instance": plan.instance}):
            unprotect(plan)
    except (Nb2prodError, OSError, subprocess.SubprocessError) as error:
        # Rules that are left do no harm, and the next start finds them.
        log.warning("The rules of the firewall stay: %s", error)
