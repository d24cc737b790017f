"""A version's own modules: source that is sent into a Python kernel before a notebook's first cell.

A version keeps a copy of the project's own modules. A run works in the project's folder, where
files of the same names lie, and Python looks there first. So the copies are found by a finder
that comes before all others, whatever the notebook puts into ``sys.path``; and ``%run`` of a
file of which there is a copy runs the copy.

The kernel's environment need not have nb2prod: the whole text of this module is sent, and it
uses the standard library only (Python 3.8 and later). It leaves no name in the notebook's
namespace.
"""
# As the probe's, these are plain names for the kernel's `sys.path`.
# ruff: noqa: PTH100, PTH109, PTH113, PTH118, PTH208

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys

if False:  # for type checkers only; the kernel's Python may be older than these names
    from collections.abc import Callable
    from typing import Any


def install(folder: str) -> None:
    """Let this process find the modules of a folder before all others; called once.

    Parameters
    ----------
    folder
        What the version keeps, as Python finds it from there.
    """
    finder = OwnModules(folder)
    sys.path.insert(0, folder)
    sys.meta_path.insert(0, finder)
    # A kernel that is kept warm may have imported what the project's folder has.
    for name in [name for name in sys.modules if name.partition(".")[0] in finder.names]:
        if name != "__main__":
            del sys.modules[name]
    importlib.invalidate_caches()
    _run_copies(folder, os.getcwd())


class OwnModules:
    """Finds the modules of one folder, at the names that they have from there.

    Parameters
    ----------
    folder
        See `install`.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.names = {name.partition(".")[0] for name in os.listdir(folder)}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        above, _, _ = name.rpartition(".")
        if name.partition(".")[0] not in self.names:
            return None
        place = os.path.join(self._folder, *above.split(".")) if above else self._folder
        spec = importlib.machinery.PathFinder.find_spec(name, [place])
        # Of a folder without `__init__.py` all parts count, wherever they lie.
        return None if spec is None or spec.loader is None else spec


def _run_copies(folder: str, directory: str) -> None:
    """Let ``%run`` run a copy, where there is one."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    run: Callable[..., Any] | None = shell and shell.find_line_magic("run")
    if run is None:
        return

    def run_copy(line: str = "") -> Any:
        """Run a file; see IPython's own."""
        return run(line, file_finder=lambda name: _copy_of(name, folder, directory))

    shell.register_magic_function(run_copy, "line", "run")


def _copy_of(name: str, folder: str, directory: str) -> Any:
    here = os.path.relpath(os.path.abspath(name), directory)
    if not here.startswith(os.pardir):
        for file in (here, here + ".py"):
            copy = os.path.join(folder, file)
            if os.path.isfile(copy):
                return copy
    return importlib.import_module("IPython.utils.path").get_py_filename(name)


def source(folder: str) -> str:
    """Return the code to execute silently in a kernel; the argument is `install`'s."""
    with open(__file__, encoding="utf-8") as stream:  # noqa: PTH123
        text = stream.read()
    # A lambda's argument is no name in the notebook's namespace.
    return (
        "(lambda _nb2prod: [exec(compile("
        f"{text!r}, '<nb2prod own modules>', 'exec'), _nb2prod.__dict__),"
        f" _nb2prod.install({folder!r})])(type(__import__('sys'))('_nb2prod_own_modules'))"
    )
