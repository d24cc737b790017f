"""What differs between kernels of several languages while a run goes on: one row a language.

Jupyter's protocol is the same for all; what an error says, and how a kernel ends, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nb2prod.execution.events import error_line
from nb2prod.execution.models import RandomSource

# bash_kernel starts another bash, and says that all is well, when a cell has ended the one before
# (`exit`, `set -e`). What runs after that would run without what came before.
_BASH_MARK = "_nb2prod_shell=$$"
_BASH_IS_SAME = '[ "${_nb2prod_shell:-}" = "$$" ]'
_BASH_HAS_ENDED = (
    "ended its bash, by `exit` or by a command that failed under `set -e`; the kernel doesn't tell"
    " with which exit status. Let the cell's last command fail instead, as `false` does"
)
_R_HAS_QUIT = (
    "quit R; the kernel doesn't tell with which status. Let it `stop(…)` where something is wrong"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelManners:
    """How a language's kernels behave.

    Parameters
    ----------
    error_line
        Makes one line of an error's ``ename`` and ``evalue``.
    note
        What a reader of a run should know of what isn't recorded; or empty.
    begin
        Code that is executed silently before the first cell; or empty.
    seed, random
        Code that gives the language's own generator the run's ``{seed}``, and which that is; or
        empty. In Python the probe does it.
    is_whole
        Code that fails, executed silently behind a cell, where the kernel is no longer the one in
        which the run began; or empty.
    not_whole
        What the cell then did.
    asks_exit
        What a cell did that asks the kernel to exit, where that is no success; or empty.
    """

    error_line: Callable[[Mapping[str, object]], str] = error_line
    note: str = ""
    begin: str = ""
    seed: str = ""
    random: RandomSource | None = None
    is_whole: str = ""
    not_whole: str = ""
    asks_exit: str = ""


def _r_error(error: Mapping[str, object]) -> str:
    # The name of all errors is "ERROR", and the text ends with a line end.
    return " ".join(str(error.get("evalue") or "").split()) or error_line(error)


def _bash_error(error: Mapping[str, object]) -> str:
    value = str(error.get("evalue") or "")
    return f"exit status {value}" if value.isdigit() else error_line(error)


_UNSEEN = "What a notebook in {} reads and writes isn't followed: its files are not in this record."
_MANNERS: Mapping[str, KernelManners] = {
    "python": KernelManners(),
    "r": KernelManners(
        error_line=_r_error,
        note=_UNSEEN.format("R"),
        seed="set.seed({seed})",
        random=RandomSource.R,
        asks_exit=_R_HAS_QUIT,
    ),
    "bash": KernelManners(
        error_line=_bash_error,
        note=_UNSEEN.format("bash"),
        begin=_BASH_MARK,
        # bash(1), "Shell Variables".
        seed="RANDOM={seed}",
        random=RandomSource.BASH,
        is_whole=_BASH_IS_SAME,
        not_whole=_BASH_HAS_ENDED,
    ),
}


def manners_of(language: str) -> KernelManners:
    """Return how kernels of a language behave; one that is not known behaves as Python's."""
    return _MANNERS.get(language.lower(), KernelManners())
