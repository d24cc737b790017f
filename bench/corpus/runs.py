"""A notebook in a fresh kernel, and its script under plain Python, each in a copy of its folder."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from bench.corpus.comparison import (
    Difference,
    Printed,
    differing_lines,
    figure_difference,
    first_difference,
    lines_of,
)

_HERE = Path(__file__).parent
_CAPTURE = _HERE / "capture"
_REPOSITORY = Path(__file__).parents[2]
_SCRIPT = "script_of_the_notebook.py"


class Verdict(StrEnum):
    """How a script's run compares with its notebook's."""

    EQUAL = "equal"
    DIFFERS = "differs"
    SCRIPT_FAILS = "script fails"
    NOTEBOOK_FAILS = "notebook itself fails"
    NONDETERMINISTIC = "notebook differs from itself"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One notebook and its script, run.

    Parameters
    ----------
    detail
        The first difference, or the error.
    figures
        How many figures the notebook showed.
    """

    verdict: Verdict
    detail: str = ""
    figures: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Runner:
    """How notebooks and scripts are run.

    Parameters
    ----------
    python
        The interpreter of kernels and scripts; it needs ipykernel.
    timeout_s
        For each run.
    project_root
        A folder of projects: each folder directly in it is copied whole for a run, so that
        ``../data`` is there. Without it, a run gets a copy of the notebook's own folder.
    """

    python: Path
    timeout_s: float
    project_root: Path | None = None

    def compare(self, notebook: Path, script: str) -> Compared:
        """Run both, and the notebook once more where they differ."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="corpus-", ignore_cleanup_errors=True) as home:
            found = self._compared(notebook, script, Path(home))
        return Compared(
            verdict=found.verdict,
            detail=found.detail,
            figures=found.figures,
            seconds=time.monotonic() - began,
        )

    def _compared(self, notebook: Path, script: str, home: Path) -> Compared:
        first = self._run_notebook(notebook, script, home / "run-1")
        if isinstance(first, str):
            return Compared(verdict=Verdict.NOTEBOOK_FAILS, detail=first)
        program = self._run_script(notebook, script, home / "run-2")
        figures = len(first.printed.figures)
        if isinstance(program, str):
            return Compared(verdict=Verdict.SCRIPT_FAILS, detail=program, figures=figures)
        difference = first.difference_to(program)
        if difference is None:
            return Compared(verdict=Verdict.EQUAL, figures=figures)
        again = self._run_notebook(notebook, script, home / "run-3")
        verdict = Verdict.DIFFERS
        if isinstance(again, str) or first.explains(again, program):
            verdict = Verdict.NONDETERMINISTIC
        return Compared(verdict=verdict, detail=str(difference), figures=figures)

    def _run_notebook(self, notebook: Path, script: str, home: Path) -> _Run | str:
        """Return what the notebook showed, or its error."""
        folder = self._copied(notebook, script, home)
        kernels = home / "jupyter" / "kernels" / "python3"
        kernels.mkdir(parents=True)
        (kernels / "kernel.json").write_text(json.dumps(self._kernelspec()))
        start_up = home / "home" / "ipython" / "profile_default" / "startup"
        start_up.mkdir(parents=True)
        # Once more, just before the first cell: the kernel itself may have drawn some.
        (start_up / "seed.py").write_text("__import__('random').seed(0)\n")
        result = home / "result.json"
        environment = {
            **_environment(home),
            "JUPYTER_PATH": str(home / "jupyter"),
            "PYTHONPATH": str(_REPOSITORY),
        }
        command = [sys.executable, "-m", "bench.corpus.kernel_run"]
        command += [str(folder / notebook.name), str(result)]
        ended = self._run(command, environment, folder, home / "errors.txt")
        if ended is None:
            return f"it ran longer than {self.timeout_s:g} s"
        if ended or not result.exists():
            return f"the kernel's run ended with status {ended}: {_tail(home / 'errors.txt')}"
        found = json.loads(result.read_text(encoding="utf-8"))
        if found["status"] != "ended":
            return str(found["error"])
        figures = tuple(base64.b64decode(figure) for figure in found["figures"])
        return _Run(printed=Printed(text=found["text"], figures=figures), home=home)

    def _run_script(self, notebook: Path, script: str, home: Path) -> _Run | str:
        """Return what the script printed, or its error."""
        folder = self._copied(notebook, script, home)
        pictures = home / "figures"
        pictures.mkdir()
        environment = {
            **_environment(home),
            "PYTHONPATH": str(_CAPTURE),
            "NB2PROD_CORPUS_FIGURES": str(pictures),
        }
        output = home / "output.txt"
        command = [str(self.python), _SCRIPT]
        ended = self._run(command, environment, folder, home / "errors.txt", output)
        if ended is None:
            return f"it ran longer than {self.timeout_s:g} s"
        if ended:
            return f"status {ended}: {_tail(home / 'errors.txt')}"
        figures = tuple(path.read_bytes() for path in sorted(pictures.iterdir()))
        text = output.read_text(encoding="utf-8", errors="replace")
        return _Run(printed=Printed(text=text, figures=figures), home=home)

    def _kernelspec(self) -> Mapping[str, object]:
        return {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
            # Of the process that starts the kernel the path has our repository.
            "env": {"PYTHONPATH": str(_CAPTURE)},
        }

    def _copied(self, notebook: Path, script: str, home: Path) -> Path:
        """Copy what the notebook lies in; return the folder of the copy that it lies in."""
        source = notebook.parent
        if self.project_root is not None and notebook.parent != self.project_root:
            source = self.project_root / notebook.relative_to(self.project_root).parts[0]
        ignored = shutil.ignore_patterns(".git", ".ipynb_checkpoints", "__pycache__")
        shutil.copytree(source, home / "files", symlinks=True, ignore=ignored)
        folder = home / "files" / notebook.parent.relative_to(source)
        # Beside the notebook in both runs, so that both list the same files.
        (folder / _SCRIPT).write_text(script, encoding="utf-8")
        return folder

    def _run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        errors: Path,
        output: Path | None = None,
    ) -> int | None:
        """Run a command offline, all it starts included; `None` if it took too long."""
        whole = [*_namespaces(), *command]
        with errors.open("wb") as error, (output or errors.with_name("unread")).open("wb") as out:
            process = subprocess.Popen(
                whole, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                stderr=error, start_new_session=True,
            )  # fmt: skip
            try:
                return process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                if process.poll() is None:
                    # With it goes the first process of its namespace, and with that all others.
                    process.kill()
                    process.wait()


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What was shown, and where."""

    printed: Printed
    home: Path

    @property
    def lines(self) -> tuple[str, ...]:
        return lines_of(self.printed.text, folder=str(self.home))

    def difference_to(self, other: _Run) -> Difference | None:
        text = first_difference(self.lines, other.lines)
        return text or figure_difference(self.printed.figures, other.printed.figures)

    def explains(self, again: _Run, program: _Run) -> bool:
        """Whether all that the program does otherwise, the notebook does otherwise each time."""
        own = differing_lines(self.lines, again.lines)
        if own is None:
            return True
        others = differing_lines(self.lines, program.lines)
        if others is None or not others <= own:
            return False
        figures = self.printed.figures
        if figure_difference(figures, program.printed.figures) is None:
            return True
        return figure_difference(figures, again.printed.figures) is not None


@cache
def _namespaces() -> tuple[str, ...]:
    """Return what stands before a command that shall run without a network; nothing if it can't."""
    start = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for more in ([], ["--map-root-user"]):
        # Isolated: what the environment says of Python is meant for the command.
        command = [*start, *more, sys.executable, "-I", str(_HERE / "offline.py")]
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            continue
        return tuple(command)
    return ()


def is_offline() -> bool:
    """Whether runs are kept from the network here."""
    return bool(_namespaces())


def _environment(home: Path) -> dict[str, str]:
    """Return what both kinds of run get: nothing of a person's settings, and a fixed hash seed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LANG", "LC_ALL", "TZ") or name.endswith("_NUM_THREADS")
    }
    own = home / "home"
    own.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(own),
        "IPYTHONDIR": str(own / "ipython"),
        "MPLCONFIGDIR": str(_matplotlib_cache()),
        "PYTHONHASHSEED": "0",
        "LANG": kept.get("LANG", "C.UTF-8"),
    }


@cache
def _matplotlib_cache() -> Path:
    """Return where matplotlib keeps its list of fonts, which takes seconds to make."""
    folder = Path(tempfile.gettempdir()) / f"corpus-matplotlib-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().split("\n")
    return lines[-1][:300]
