"""What a kernel's environment has installed, seen from its interpreter.

Where a project declares nothing that can be locked (`nb2prod.registry.locking`), that is the
environment lock: what the results were made with, though nobody has asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, StringConstraints, ValidationError

from nb2prod.errors import KernelUnavailable
from nb2prod.registry.interpreters import ask
from nb2prod.registry.models import EnvironmentLock
from nb2prod.registry.other_environments import (
    is_of_other_language,
    observe_bash,
    observe_r,
    other_pins,
)
from nb2prod.registry.requirements import pins_of

# Runs in the kernel's interpreter, which need not have nb2prod: standard library only. Its output
# is what `parse_observation` reads.
OBSERVE_PROGRAM = """
import importlib.metadata as metadata, json, os, platform, sys, sysconfig
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
known = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
folders = [
    folder
    for folder in map(os.path.realpath, filter(os.path.isdir, sys.path))
    if folder not in known and not folder.startswith(os.path.realpath(sys.prefix) + os.sep)
    and not folder.startswith(os.path.realpath(sys.base_prefix) + os.sep)
]
modules = {
    entry.name.partition(".")[0]
    for folder in folders
    for entry in os.scandir(folder)
    if entry.name.endswith(".py") or os.path.isfile(os.path.join(entry.path, "__init__.py"))
}
print(json.dumps({
    "python": platform.python_version(),
    "pins": pins,
    "local": local,
    "imports": {name: sorted(set(found)) for name, found in imports.items()},
    "folders": folders,
    "modules": sorted(modules),
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
    folders
        What its ``sys.path`` has beside Python itself and installed packages: where editable
        installs lie.
    modules
        Names of the modules in these folders.
    """

    lock: EnvironmentLock
    distributions: Mapping[str, tuple[str, ...]]
    local: tuple[str, ...]
    folders: tuple[str, ...] = ()
    modules: frozenset[str] = field(default=frozenset())


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
    from nb2prod_kernels.kernelspecs import NoSuchKernel, interpreter_of, language_of

    try:
        interpreter, language = interpreter_of(kernel_name), language_of(kernel_name)
    except NoSuchKernel as error:
        raise KernelUnavailable(str(error)) from error
    if language in ("r", "bash"):
        lock = observe_r(str(interpreter)) if language == "r" else observe_bash()
        return ObservedEnvironment(lock=lock, distributions={}, local=())
    # -I keeps the notebook's folder and PYTHON* variables from changing what is seen.
    answer = ask([str(interpreter), "-I", "-c", OBSERVE_PROGRAM])
    try:
        return parse_observation(answer)
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
        folders=tuple(answer.folders),
        modules=frozenset(answer.modules),
    )


def read_pins(lock: EnvironmentLock) -> dict[str, str]:
    """Return the version by the normal name of each package in a lock."""
    if is_of_other_language(lock):
        return other_pins(lock)
    return pins_of(lock.text, python=lock.python)


def installed(lock: EnvironmentLock) -> dict[str, str]:
    """Return the versions of the packages in a lock, and of the interpreter."""
    python = {"python": lock.python} if lock.python else {}
    return {**python, **read_pins(lock)}


# One line of the lock, and one word: a name with a line end would write lines of its own.
_Word = Annotated[str, StringConstraints(pattern=r"^[^\s#\x00-\x1f\x7f]+$", max_length=255)]


class _Answer(BaseModel):
    python: _Word
    pins: dict[_Word, _Word]
    local: list[_Word]
    imports: dict[str, list[_Word]]
    # What was stored of an image before these were asked for has them not.
    folders: list[str] = []
    modules: list[str] = []
