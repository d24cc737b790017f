"""The program ``uv``, which locks what a project declares.

It is not a part of nb2prod: it may lie on the PATH, or come with the extra ``environments``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nb2prod.registry.requirements import LineKind, read_lines, write_lock

# A resolution with everything to be looked up takes some seconds; a network that swallows all
# that is sent into it must not hold a promotion for longer.
TIMEOUT_S = 60
# In a service the same is asked for again and again: to propose, and then to promote.
REMEMBERED_S = 300

_PLAIN = ("--quiet", "--no-progress", "--color=never", "--no-python-downloads")
_FORM = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What uv has made of a declaration.

    Parameters
    ----------
    lock
        The text of the lock; empty where there is none.
    reason
        Why there is none, in a sentence.
    """

    lock: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolving:
    """What is to be locked.

    Parameters
    ----------
    requirements, constraints
        Texts of requirements files.
    python
        Version of Python that it is for.
    preferred
        A requirements file with the versions to take where they fit.
    source
        A ``pyproject.toml`` to be read in place of ``requirements``; its folder's settings for uv
        count then. `None` for none.
    group
        Options for the extra or the group that is taken besides.
    is_own
        Whether packages may be built, which runs their code.
    """

    requirements: str
    constraints: str
    python: str
    preferred: str
    source: Path | None
    group: tuple[str, ...]
    is_own: bool


def find_uv() -> Path | None:
    """Return the program; `None` where it is not installed."""
    # A package of Python's brings it beside the interpreter, which need not be on the PATH.
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    return None if found is None else Path(found)


def resolve(asked: Resolving) -> Resolution:
    """Lock requirements for one version of Python, with hashes; asks the package index.

    An answer is kept for some minutes, a failure as well: what was proposed is what is promoted.
    """
    return _resolved(asked, int(time.monotonic() / REMEMBERED_S))


def resolve_afresh() -> None:
    """Forget all answers."""
    _resolved.cache_clear()


def export_lock(folder: Path, *, group: tuple[str, ...], cache: Path | None = None) -> Resolution:
    """Write a project's ``uv.lock`` as a requirements file; asks no index, and runs no code.

    Parameters
    ----------
    folder
        It has a ``pyproject.toml`` and the ``uv.lock``; both stay as they are.
    group
        Options for the extra or the group that is taken besides.
    cache
        Where uv may write, whatever the project's settings say; `None` leaves it to them.

    Returns
    -------
    Resolution
        Without a lock also where ``pyproject.toml`` has changed since.
    """
    offline = ["--offline", "--no-build", "--python", sys.executable]
    if cache is not None:
        offline += ["--cache-dir", str(cache)]
    checked = _run(["lock", "--check", *offline], folder)
    # Where it can't be told without a network, the lock is what the team goes by.
    if checked.reason and "needs to be updated" in checked.reason:
        reason = "uv.lock is older than the dependencies in pyproject.toml: run `uv lock`."
        return Resolution(reason=reason)
    options = ("--frozen", "--no-emit-project", "--no-default-groups", *_FORM, *group, *offline)
    return _locked(_run(["export", "--format=requirements.txt", *options], folder))


@lru_cache(maxsize=64)
def _resolved(asked: Resolving, _period: int) -> Resolution:
    with tempfile.TemporaryDirectory(prefix="nb2prod-lock-") as name:
        folder = Path(name)
        requirements, output = folder / "requirements.in", folder / "requirements.lock"
        requirements.write_text(asked.requirements, encoding="utf-8")
        output.write_text(asked.preferred, encoding="utf-8")
        command = ["pip", "compile", "--generate-hashes", *_FORM, "--output-file", str(output)]
        command += ["--python-version", asked.python, "--python", sys.executable]
        if asked.constraints:
            constraints = folder / "constraints.txt"
            constraints.write_text(asked.constraints, encoding="utf-8")
            command += ["--constraint", str(constraints)]
        if not asked.is_own:
            command.append("--no-build")
        if asked.source is not None:
            # uv does not read a project of which a lock is made elsewhere without its folder.
            done = _run([*command, *asked.group, asked.source.name], asked.source.parent)
        else:
            done = _run([*command, str(requirements)], folder)
        if done.reason:
            return done
        return _locked(Resolution(lock=output.read_text(encoding="utf-8")))


def _locked(done: Resolution) -> Resolution:
    """Return a lock in our own order, without what lies on this machine only."""
    if done.reason:
        return done
    lines = tuple(line for line in read_lines(done.lock) if line.kind is LineKind.REQUIREMENT)
    return Resolution(lock=write_lock(lines))


def _run(arguments: Sequence[str], folder: Path) -> Resolution:
    uv = find_uv()
    if uv is None:
        return Resolution(
            reason="uv, which locks it, is not installed: `pip install uv`, or nb2prod's extra"
            " `environments`."
        )
    # Of a virtual environment that we happen to run in, nothing counts.
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    patience = {"UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"}
    try:
        done = subprocess.run(
            [str(uv), *arguments, *_PLAIN],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**patience, **inherited},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Resolution(reason=f"uv did not come to an end within {TIMEOUT_S} seconds.")
    except OSError as error:
        return Resolution(reason=f"uv can't be started: {error.strerror or error}.")
    if done.returncode != 0:
        return Resolution(reason=f"uv says: {_words(done.stderr)}")
    return Resolution(lock=done.stdout)


def _words(text: str) -> str:
    """Return what uv complains of in one line, without its ornaments."""
    lines = [line.strip(" ×╰─▶│├•") for line in text.splitlines()]
    said = " ".join(line for line in lines if line and not line.startswith("hint:"))
    return said.removeprefix("error: ")[:500] or "nothing"
