"""What the kernels of other languages than Python have installed, seen from their interpreters.

The lock names the interpreter first (``R==4.2.2``), then its packages. It is observed, always: what
an R project declares (renv, DESCRIPTION) isn't read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nb2prod.errors import KernelUnavailable
from nb2prod.registry.interpreters import ask
from nb2prod.registry.models import EnvironmentLock

# The first library that has a package is where `library()` finds it; R's own packages have R's
# version.
_R_PROGRAM = """
found <- installed.packages(fields = character())
found <- found[!duplicated(found[, "Package"]) & !(found[, "Priority"] %in% "base"), , drop = FALSE]
cat("nb2prod\\n", paste0("R==", getRversion(), "\\n"), sep = "")
cat(sprintf("%s==%s\\n", found[, "Package"], found[, "Version"]), sep = "")
"""
_PIN = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9.]*)==(?P<version>[0-9][\w.+-]*)")


def observe_r(interpreter: str) -> EnvironmentLock:
    """Ask R which packages it has; raises `KernelUnavailable`.

    Parameters
    ----------
    interpreter
        The program that the kernelspec starts.
    """
    # Not --vanilla: a person's own library is where the kernel finds packages too.
    command = [interpreter, "--no-echo", "--no-save", "--no-restore", "-e", _R_PROGRAM]
    lines = ask(command).partition("nb2prod\n")[2].splitlines()
    matches = [match for line in lines if (match := _PIN.fullmatch(line.strip()))]
    if len(matches) < len(lines) or not matches:
        raise KernelUnavailable(f"What {interpreter} has installed can't be read.")
    first, *others = [match[0] for match in matches]
    return _lock([first, *sorted(others, key=str.lower)])


def observe_bash() -> EnvironmentLock:
    """Ask bash for its version; which programs are installed is the machine's matter."""
    version = ask(["bash", "--noprofile", "--norc", "-c", 'echo "$BASH_VERSION"'])
    return _lock([f"bash=={version.strip().partition('(')[0]}"])


def is_of_other_language(lock: EnvironmentLock) -> bool:
    """Tell whether a lock is of another language's environment than Python's."""
    return not lock.python and lock.text.startswith(("R==", "bash=="))


def other_pins(lock: EnvironmentLock) -> dict[str, str]:
    r"""Return the version of each package in such a lock: names are as they are written.

    >>> other_pins(EnvironmentLock(text="R==4.2.2\nMASS==7.3-58.2", python="", is_observed=True))
    {'R': '4.2.2', 'MASS': '7.3-58.2'}
    """
    pins = (line.partition("==") for line in lock.text.splitlines())
    return {name: version for name, _, version in pins}


def _lock(lines: Sequence[str]) -> EnvironmentLock:
    return EnvironmentLock(text="".join(f"{line}\n" for line in lines), python="", is_observed=True)
