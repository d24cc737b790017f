"""A version's copies of the project's own modules, laid out for its kernel."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from nb2prod.errors import NotAVersion, storage_error
from nb2prod.registry.models import Version


def lay_out(version: Version, folder: Path) -> Path | None:
    """Write what a version keeps of the project's own modules into a folder.

    Returns
    -------
    Path or None
        The folder; `None` where the version keeps nothing.

    Raises
    ------
    NotAVersion
        The version names a file that would not lie in the folder.
    StorageFull, StorageUnusable
        They can't be written.
    """
    if not version.modules:
        return None
    try:
        # Of an attempt before, nothing is left.
        shutil.rmtree(folder, ignore_errors=True)
        for path, content in version.modules.items():
            plain = PurePosixPath(path)
            if plain.is_absolute() or ".." in plain.parts or not plain.parts:
                raise NotAVersion(f"{version.reference} keeps {path!r}, which is no module's file.")
            target = folder / plain
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder
