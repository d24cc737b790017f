"""The program ``git``: started in a known way, and what its failures mean."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nb2prod.errors import StorageFull, StorageUnusable, ToolMissing

GIT_TIMEOUT_S = 60

# Set where git itself started us, as in a hook: they would lead to that repository.
OTHERS_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)


def run_git(
    command: list[str],
    *,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] = {},
    text: bool = True,
    drops: Sequence[str] = (),
    keeps: Sequence[int] = (),
) -> subprocess.CompletedProcess[Any]:
    """Run git and return how it ended, whatever that is.

    Parameters
    ----------
    env
        Added to the environment of this process.
    text
        Whether input and output are text (UTF-8, other bytes kept as surrogates) or bytes.
    drops
        Environment variables that it does not inherit.
    keeps
        File descriptors that it inherits.

    Raises
    ------
    ToolMissing
        Git is not installed.
    StorageUnusable
        It did not end within `GIT_TIMEOUT_S`, and was killed.
    """
    if shutil.which("git") is None:
        raise ToolMissing("Git is not installed. On Debian or Ubuntu: `apt-get install git`.")
    # Messages are compared with English ones; a prompt would wait for ever.
    inherited = {name: value for name, value in os.environ.items() if name not in drops}
    fixed = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=text,
            encoding="utf-8" if text else None,
            errors="surrogateescape" if text else None,
            env={**inherited, **fixed, **env},
            timeout=GIT_TIMEOUT_S,
            check=False,
            pass_fds=tuple(keeps),
        )
    except subprocess.TimeoutExpired as error:
        raise StorageUnusable(
            f"Git did not end within {GIT_TIMEOUT_S} s: `{' '.join(command[:6])} …`."
        ) from error


def git_failure(command: str, place: Path, words: str) -> StorageFull | StorageUnusable:
    """Return what to raise where a git command failed with these words."""
    if "No space left" in words:
        return StorageFull(f"No space is left for the repository {place}.")
    return StorageUnusable(f"`git {command}` failed in {place}: {words.strip()}")
