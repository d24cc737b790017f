"""Container images: whether they are here, and what their kernels have installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nb2prod
from nb2prod.cli.output import console
from nb2prod.errors import ImageMissing, KernelUnavailable
from nb2prod.jobs.docker_client import DockerEngine
from nb2prod.registry.environments import ENVIRONMENTS_FOLDER, IMAGES_FILE, store_environment
from nb2prod.registry.lock import OBSERVE_PROGRAM
from nb2prod.workspace.policy import PERSON_UID, ContainerSpec, Limits
from nb2prod_hub.plan import Plan

KERNEL_PYTHON = "/opt/kernel/bin/python"
OBSERVE_TIMEOUT_S = 120
OBSERVED_BYTES = 4_000_000
# What `make images` makes, and the names that its script has for it.
OWN_IMAGES = {f"nb2prod/{name}:{nb2prod.__version__}": name for name in ("base", "torch")}


def ensure_image(engine: DockerEngine, image: str) -> None:
    """Bring an image of ours up to date with the repository, if that is what runs here.

    Where nothing has changed, the script says so in a moment. Where it fails, an image that is
    here is good enough for a start, and a line says that it may be old.

    Raises
    ------
    ImageMissing
        It is not on this machine, and can't be made.
    EngineUnreachable
        The engine does not answer.
    """
    script = _script()
    name = OWN_IMAGES.get(image)
    if script is None or name is None:
        engine.image_id(image)
        return
    made = subprocess.run([str(script), name], cwd=script.parents[1], check=False)
    try:
        engine.image_id(image)
    except ImageMissing as error:
        raise ImageMissing(f"The image {image} can't be made; the lines above say why.") from error
    if made.returncode != 0:
        console.print(
            f"[yellow]The image {image} could not be brought up to date[/]: the lines above say"
            " why. People get it as it is.",
            soft_wrap=True,
        )


def know_image(engine: DockerEngine, plan: Plan, image: str) -> None:
    """Look up what an image has installed, where that is not known yet.

    The service, which promotes, does not speak to the engine and needs it.

    Raises
    ------
    ImageMissing
        It is not on this machine.
    KernelUnavailable
        It has no kernel where ours have it.
    EngineUnreachable
        The engine does not answer.
    """
    identity = engine.image_id(image)
    if _is_known(plan, image, identity):
        return
    spec = observing_container(plan, image, identity)
    store_environment(plan.home, image, identity, _observe(engine, spec))


def observing_container(plan: Plan, image: str, identity: str) -> ContainerSpec:
    """Describe the container that looks at an image: no network, no folder of anybody's."""
    return ContainerSpec(
        name=f"nb2prod-{plan.instance}-observe-{identity.removeprefix('sha256:')[:12]}",
        image=image,
        command=(KERNEL_PYTHON, "-I", "-c", OBSERVE_PROGRAM),
        environment={},
        mounts=(),
        tmpfs={"/tmp": "size=64m"},  # noqa: S108 (the container's own)
        limits=Limits(memory_mb=1024, cpu_cores=1.0, pids=64),
        network="none",
        labels={"nb2prod.instance": plan.instance, "nb2prod.kind": "observe"},
        uid=PERSON_UID,
        gid=PERSON_UID,
        working_folder="/",
    )


def _observe(engine: DockerEngine, spec: ContainerSpec) -> str:
    # One that was interrupted would be found, and say nothing.
    engine.remove(spec.name)
    try:
        engine.create(spec)
        engine.start(spec.name)
        ended = engine.wait(spec.name, timeout_s=OBSERVE_TIMEOUT_S)
        said = engine.logs(spec.name, tail_bytes=OBSERVED_BYTES).decode("utf-8", "replace")
    finally:
        engine.remove(spec.name)
    if ended is None or ended.exit_status != 0:
        raise KernelUnavailable(
            f"The image {spec.image} has no kernel that answers ({KERNEL_PYTHON}):"
            f" {said.strip()[-300:]}"
        )
    # Warnings may stand before it.
    return said.strip().splitlines()[-1]


def _is_known(plan: Plan, image: str, identity: str) -> bool:
    folder = plan.home / ENVIRONMENTS_FOLDER
    digits = identity.removeprefix("sha256:")
    try:
        known = json.loads((folder / IMAGES_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return known.get(image) == digits and (folder / f"{digits}.json").is_file()


def _script() -> Path | None:
    script = Path(nb2prod.__file__).parents[1] / "scripts" / "images.sh"
    return script if script.is_file() else None
