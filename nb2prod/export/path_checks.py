"""Paths in a notebook that are not there where its runs are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from nb2prod.export.absolute_paths import absolute_paths, upward_paths
from nb2prod.export.checked_notebook import CheckedNotebook
from nb2prod.export.findings import finding
from nb2prod.export.models import Finding

_CHANGES_FOLDER = frozenset({"os.chdir", "_nb2prod_cd"})


def paths(checked: CheckedNotebook) -> Iterator[Finding]:
    """Find absolute paths, and relative ones that leave the project's folder.

    The second is known only where the notebook's own place is, and where it does not go elsewhere.
    """
    for entry in checked.cells:
        for path in absolute_paths(entry.tree):
            yield finding(
                "absolute-path",
                f"`{path.text}` exists on one machine only.",
                cell=entry.number,
                line=entry.author_line(path.line),
            )
    if checked.directory is None:
        return
    if any(call.name in _CHANGES_FOLDER for _, call in checked.every_call()):
        return
    depth = len(PurePosixPath(checked.directory).parts)
    for entry in checked.cells:
        for path in upward_paths(entry.tree, depth=depth):
            yield finding(
                "path-outside-project",
                f"`{path.text}` lies outside of the project's folder, which is all that a run has.",
                cell=entry.number,
                line=entry.author_line(path.line),
            )
