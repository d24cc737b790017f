"""What others think of cells and scripts: IPython whether it reads them, pyflakes of names.

Nothing here uses our own reading of IPython's syntax, so that it can contradict it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from functools import cache

from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from pyflakes.checker import Checker
from pyflakes.messages import UndefinedName
from traitlets.config import Config

# What a kernel gives to each cell, and Python to no script.
_KERNEL_NAMES = frozenset(
    {"get_ipython", "display", "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh",
     "_dh", "_exit_code", "exit", "quit"}
)  # fmt: skip
_NUMBERED = re.compile(r"_i?\d+\Z")
_PROGRAM_NAMES = frozenset({"exit", "quit", "__file__"})
# Magics that run Python in the notebook's own namespace.
_PYTHON_CELL = re.compile(r"\s*%%(?:time|timeit|capture|prun)\b[^\n]*\n?")
_PYTHON_LINE = re.compile(r"^(?P<indent>[ \t]*)%(?:time|prun)[ \t]+", re.MULTILINE)
# Magics after which names may be there that no one can see.
_BRINGS_NAMES = re.compile(
    r"^[ \t]*%(?:pylab|run|store\s+-r|load|loadpy|macro|recall|rerun)\b", re.MULTILINE
)


def ipython_fault(sources: Sequence[str]) -> str:
    """Return why IPython can't read one of these cells, or nothing.

    A cell counts as read as `InteractiveShell.run_cell` would read it: its own transformation,
    its prefilter for cells of one line (``ls``, ``cd data``), then each statement compiled,
    awaits at the top allowed.
    """
    for number, source in enumerate(sources, start=1):
        try:
            _compile_cell(_as_python(source))
        except SyntaxError as error:
            return f"code cell {number}: {error.msg}"
        except ValueError as error:
            return f"code cell {number}: {error}"
    return ""


def is_plain_python(script: str) -> bool:
    """Whether Python compiles the file as it stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(script, "<script>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
    return True


def lost_names(script: str, sources: Sequence[str]) -> frozenset[str]:
    """Return the names that a script lacks though the notebook's cells have them.

    Parameters
    ----------
    sources
        Of the notebook's code cells. What is undefined there as well is the author's fault.
    """
    missing = _undefined(script, _PROGRAM_NAMES)
    if not missing:
        return frozenset()
    notebook = "\n".join(_expanded(source) for source in sources)
    return frozenset(missing - _undefined(notebook, _KERNEL_NAMES))


def _as_python(source: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cell = TransformerManager().transform_cell(source)
        if len(cell.splitlines()) == 1:
            return _shell().prefilter_manager.prefilter_lines(cell)
    return cell


@cache
def _shell() -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    return InteractiveShell(config=config)


def _compile_cell(python: str) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(python)
        for statement in tree.body:
            module = ast.Module([statement], [])
            compile(module, "<cell>", "exec", flags=flags, dont_inherit=True)


def _expanded(source: str) -> str:
    """Return a cell as Python in which what the kernel binds by magics is bound as well."""
    body = source
    while match := _PYTHON_CELL.match(body):
        body = body[match.end() :]
    brings_names = bool(_BRINGS_NAMES.search(body))
    body = _PYTHON_LINE.sub(r"\g<indent>", body)
    try:
        python = _as_python(body)
        ast.parse(python)
    except (SyntaxError, ValueError):
        return ""
    return f"from somewhere import *\n{python}" if brings_names else python


def _undefined(source: str, given: frozenset[str]) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            checker = Checker(ast.parse(source), builtins=given)
        except (SyntaxError, ValueError):
            return set()
    names = {
        str(message.message_args[0])
        for message in checker.messages
        if isinstance(message, UndefinedName)
    }
    return {name for name in names if given is not _KERNEL_NAMES or not _NUMBERED.match(name)}
