"""A kernel's interpreter, asked for something by a program of ours, and how such a process ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from nb2prod.errors import KernelUnavailable

ANSWER_TIMEOUT_S = 60


def ask(command: Sequence[str], *, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
    """Return what an interpreter prints.

    Parameters
    ----------
    command
        The interpreter, then what it is given.

    Raises
    ------
    KernelUnavailable
        It can't be started, fails, or takes too long; the message says which.
    """
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip() or f"it {how_it_ended(error.returncode)}."
    except subprocess.TimeoutExpired:
        words = f"nothing has come within {timeout_s:g} s."
    except OSError as error:
        words = f"{error.strerror or error}."
    else:
        return answer.stdout
    raise KernelUnavailable(f"The kernel's interpreter {command[0]} does not answer: {words}")


def how_it_ended(status: int) -> str:
    """Say of a process how it ended, by its status as `subprocess` has it.

    >>> how_it_ended(3), how_it_ended(-9), how_it_ended(-64)
    ('ended with exit status 3', 'was ended by SIGKILL', 'was ended by SIGRTMAX')
    """
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was ended by {name}"
