"""Kernelspecs: writing the one of this environment's Python, and asking which there are.

>>> kernel_json("/opt/kernel/bin/python")["argv"][0]
'/opt/kernel/bin/python'
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

KERNEL_NAME = "nb2prod-python"
KERNEL_DISPLAY_NAME = "Python (nb2prod)"

# jupyter_client starts these names with its own interpreter (KernelManager.format_kernel_cmd).
_OWN_PYTHON = frozenset(
    {"python", f"python{sys.version_info[0]}", ".".join(map(str, ("python3", sys.version_info[1])))}
)


class NoSuchKernel(LookupError):
    """No kernelspec of this name is installed, or its program is not there.

    The text is a sentence for a person; it names the kernels that are installed.
    """


def kernel_json(python: str) -> dict[str, Any]:
    """Return the content of ``kernel.json`` for an IPython kernel of an interpreter.

    Parameters
    ----------
    python
        Absolute path of the interpreter: a kernelspec that says only ``python`` would run
        whatever interpreter the server happens to run in.
    """
    return {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": KERNEL_DISPLAY_NAME,
        "language": "python",
        # Without compiled bytecode every start of a kernel costs half as much again; some
        # build machines switch it off. An empty value is "off" for this variable.
        "env": {"PYTHONDONTWRITEBYTECODE": ""},
        "metadata": {"debugger": True, "supported_encryption": ["curve"]},
        "kernel_protocol_version": "5.5",
    }


def install(*, prefix: Path | str | None = None, name: str = KERNEL_NAME) -> Path:
    """Install the kernelspec of this environment's Python; one that is there is replaced.

    Parameters
    ----------
    prefix
        Environment to install into (``<prefix>/share/jupyter/kernels``); by default this
        interpreter's.

    Returns
    -------
    Path
        Folder of the kernelspec.

    Raises
    ------
    NoSuchKernel
        This environment has no ipykernel.
    """
    from importlib.util import find_spec

    from jupyter_client.kernelspec import KernelSpecManager

    if find_spec("ipykernel") is None:
        raise NoSuchKernel(
            f"{sys.executable} has no ipykernel, so it can't run a kernel. Install it:"
            " `pip install 'nb2prod[kernel]'`."
        )
    with tempfile.TemporaryDirectory(prefix="nb2prod-kernelspec-") as folder:
        source = Path(folder)
        (source / "kernel.json").write_text(json.dumps(kernel_json(sys.executable), indent=1))
        written = KernelSpecManager().install_kernel_spec(
            folder, kernel_name=name, prefix=str(prefix or sys.prefix)
        )
        return Path(written)


def installed() -> tuple[str, ...]:
    """Return the names of all installed kernelspecs, sorted."""
    from jupyter_client.kernelspec import KernelSpecManager

    return tuple(sorted(KernelSpecManager().find_kernel_specs()))


def interpreter_of(kernel_name: str) -> Path:
    """Return the program that a kernelspec starts: for a Python kernel, its interpreter.

    Links are not followed: a virtual environment's interpreter is a link.

    Raises
    ------
    NoSuchKernel
        There is no such kernelspec, or its program is not there.
    """
    spec = _spec(kernel_name)
    program = spec.argv[0] if spec.argv else ""
    if program in _OWN_PYTHON:
        return Path(sys.executable)
    path = spec.env.get("PATH") or os.environ.get("PATH")
    found = shutil.which(program, path=os.path.expandvars(path) if path else None)
    if found is None:
        raise NoSuchKernel(
            f"The kernel {kernel_name!r} starts {program!r}, which is not there (any more)."
            " Install that environment again, or choose another kernel."
        )
    return Path(found)


def language_of(kernel_name: str) -> str:
    """Return the language of a kernelspec, in small letters; raises `NoSuchKernel`."""
    return str(_spec(kernel_name).language).lower()


def _spec(kernel_name: str) -> Any:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.kernelspec import NoSuchKernel as JupyterNoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(kernel_name)
    except JupyterNoSuchKernel as error:
        raise NoSuchKernel(missing_kernel(kernel_name)) from error


def missing_kernel(kernel_name: str) -> str:
    """Return the sentence that says a kernel is missing, and which there are."""
    names = installed()
    there = f"Installed: {', '.join(names)}." if names else "None is installed."
    return (
        f"No kernel {kernel_name!r} is installed. {there} Choose one of them in the notebook, or"
        f" install it into that environment: `python -m ipykernel install --sys-prefix --name"
        f" {kernel_name}`."
    )
