"""A run's own layer over its project's folder: what it writes there is seen by nobody else.

The engine mounts an overlay of Linux (Documentation/filesystems/overlayfs.rst) as a volume. Its
lower layer is the project's folder, which it never writes to; the upper one lies in the
workspace's own folder of the run and is removed with the run. The worker keeps what is there as
the run's artifacts before.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from nb2prod.errors import StorageUnusable, storage_error
from nb2prod.execution.removal import remove_tree
from nb2prod.workspace.policy import Overlay

# The mount's options are one text, with these between its parts.
_SEPARATORS = ",:\\\n"
# Nothing in a project's folder is a program of more rights, or a device, whoever put it there.
# Copies are whole (`metacopy`), since the worker reads the upper layer by itself; folders of the
# lower one can be renamed (`redirect_dir`).
_OPTIONS = ("nosuid", "nodev", "index=off", "metacopy=off", "redirect_dir=on")


def volume_arguments(overlay: Overlay) -> dict[str, Any]:
    """Return the keywords of `docker.APIClient.create_volume`, without ``labels``.

    Raises
    ------
    StorageUnusable
        A path has a character that the options of a mount can't have.
    """
    layers = {
        "lowerdir": overlay.lower,
        "upperdir": overlay.upper,
        "workdir": overlay.work,
    }
    for path in layers.values():
        _check(path)
    options = ",".join((*_OPTIONS, *(f"{name}={path}" for name, path in layers.items())))
    return {
        "name": overlay.name,
        "driver": "local",
        "driver_opts": {"type": "overlay", "device": "overlay", "o": options},
    }


def make_layers(overlay: Overlay) -> None:
    """Make the folders of an overlay's own, empty, whatever was there before.

    The container sees the owner and the mode of the upper one as those of the project's folder.

    Raises
    ------
    StorageFull, StorageUnusable
        They can't be made.
    """
    _check(overlay.lower)
    layers = overlay.upper.parent
    remove_tree(layers)
    try:
        like = overlay.lower.stat()
    except OSError as error:
        raise StorageUnusable(
            f"The project's folder {overlay.lower} can't be read: {error.strerror}."
        ) from error
    try:
        for folder in (layers, overlay.work, overlay.upper):
            folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(overlay.upper, like.st_uid, like.st_gid)
        overlay.upper.chmod(stat.S_IMODE(like.st_mode))
    except OSError as error:
        raise storage_error(layers, error) from error


def _check(path: Path) -> None:
    found = next((character for character in _SEPARATORS if character in str(path)), None)
    if found is not None:
        raise StorageUnusable(
            f"The path {str(path)!r} has {found!r} in it, and a run's container can't have such a"
            " folder. Move the workspace (NB2PROD_HOME) to a path without commas, colons and"
            " backslashes."
        )
