"""The environment lock: the packages that a version runs with, pinned.

For now it is *observed*: what the kernel's environment has installed at promotion. It says
what the results were made with; it was not resolved from what the project declares.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from nb2prod.errors import KernelUnavailable
from nb2prod.registry.models import EnvironmentLock

OBSERVE_TIMEOUT_S = 60

# Runs in the kernel's interpreter, which need not have nb2prod: standard library only.
_OBSERVE = """
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
    answer = _ask(interpreter)
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


class _Answer(BaseModel):
    python: str
    pins: dict[str, str]
    local: list[str]
    imports: dict[str, list[str]]


def _ask(interpreter: Path) -> _Answer:
    try:
        # -I keeps the notebook's folder and PYTHON* variables from changing what is seen.
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", _OBSERVE],
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
    return _Answer.model_validate_json(answer.stdout)
