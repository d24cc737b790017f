"""The environment lock: the packages that a version runs with, pinned.

For now it is *observed*: what the kernel's environment has installed at promotion. It says
what the results were made with; it was not resolved from what the project declares.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, StringConstraints, ValidationError

from nb2prod.errors import KernelUnavailable
from nb2prod.registry.models import EnvironmentLock

OBSERVE_TIMEOUT_S = 60

# Runs in the kernel's interpreter, which need not have nb2prod: standard library only. Its output
# is what `parse_observation` reads.
OBSERVE_PROGRAM = """
import importlib.metadata as metadata, json, platform
pins, local = {}, []
for item in metadata.distributions():
    name = item.metadata["Name"]
    if not name:
        continue
    pins.setdefault(name, item.version)
    origin = item.read_text("direct_url.json")
    if origin and json.loads(origin).get("url", "").startswith("file:"):
        local.append(name)
imports = metadata.packages_distributions()
print(json.dumps({
    "python": platform.python_version(),
    "pins": pins,
    "local": local,
    "imports": {name: sorted(set(found)) for name, found in imports.items()},
}))
"""


@dataclass(frozen=True, kw_only=True)
class ObservedEnvironment:
    """What an interpreter has installed.

    Parameters
    ----------
    distributions
        Names of distributions by the import name that they give.
    local
        Distributions installed from a folder or file of this machine: their version number
        alone can't bring them back.
    """

    lock: EnvironmentLock
    distributions: Mapping[str, tuple[str, ...]]
    local: tuple[str, ...]


def observe_environment(kernel_name: str) -> ObservedEnvironment:
    """Look up what a kernel's environment has installed.

    Parameters
    ----------
    kernel_name
        Name of an installed kernelspec.

    Raises
    ------
    KernelUnavailable
        There is no such kernelspec, or its interpreter does not answer.
    """
    from nb2prod_kernels.kernelspecs import NoSuchKernel, interpreter_of

    try:
        interpreter = interpreter_of(kernel_name)
    except NoSuchKernel as error:
        raise KernelUnavailable(str(error)) from error
    try:
        return parse_observation(_ask(interpreter))
    except KernelUnavailable as error:
        raise KernelUnavailable(f"The kernel's interpreter {interpreter}: {error}") from error


def parse_observation(text: str) -> ObservedEnvironment:
    """Read what `OBSERVE_PROGRAM` has printed.

    Raises
    ------
    KernelUnavailable
        It is something else; the message says what is wrong with it.
    """
    try:
        answer = _Answer.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise KernelUnavailable(
            f"What is installed can't be read: {place + ': ' if place else ''}{fault['msg']}."
        ) from error
    local = set(answer.local)
    lines = (
        f"{name}=={version}" + ("  # installed from a local folder" if name in local else "")
        for name, version in sorted(answer.pins.items(), key=lambda pin: pin[0].lower())
    )
    return ObservedEnvironment(
        lock=EnvironmentLock(
            text="".join(f"{line}\n" for line in lines),
            python=answer.python,
            is_observed=True,
        ),
        distributions={name: tuple(names) for name, names in answer.imports.items()},
        local=tuple(sorted(local)),
    )


def read_pins(lock: EnvironmentLock) -> dict[str, str]:
    """Return the version by package name (lower case) of a lock."""
    pins = {}
    for line in lock.text.splitlines():
        name, found, version = line.partition("#")[0].strip().partition("==")
        if found:
            pins[name.lower()] = version
    return pins


# One line of the lock, and one word: a name with a line end would write lines of its own.
_Word = Annotated[str, StringConstraints(pattern=r"^[^\s#\x00-\x1f\x7f]+$", max_length=255)]


class _Answer(BaseModel):
    python: _Word
    pins: dict[_Word, _Word]
    local: list[_Word]
    imports: dict[str, list[_Word]]


def _ask(interpreter: Path) -> str:
    try:
        # -I keeps the notebook's folder and PYTHON* variables from changing what is seen.
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", OBSERVE_PROGRAM],
            capture_output=True,
            text=True,
            timeout=OBSERVE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        words = getattr(error, "stderr", None) or error
        raise KernelUnavailable(
            f"The kernel's interpreter {interpreter} does not answer: {words}"
        ) from error
    return answer.stdout
