"""Where a notebook lies, from the path that JupyterLab knows it by. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from nb2prod.errors import InvalidInput
from nb2prod.workspace.people import folder_name


@dataclass(frozen=True, kw_only=True, slots=True)
class NotebookPlace:
    """A notebook's place, as a version keeps it.

    Parameters
    ----------
    path
        In the project's folder, or ``private/<person>/…``.
    directory
        The working directory of its runs, relative to the project's folder.
    """

    path: str
    directory: str

    @property
    def name(self) -> str:
        """The notebook's name, without ``.ipynb``."""
        return PurePosixPath(self.path).name.removesuffix(".ipynb")


def notebook_place(path: str, *, person: str) -> NotebookPlace:
    """Return the place of a notebook from its path below the Jupyter root.

    What comes from a private folder runs in the project's: nobody else has the private one.

    Raises
    ------
    InvalidInput
        The path leads into neither of the two folders.

    Examples
    --------
    >>> notebook_place("project/models/train.ipynb", person="ada")
    NotebookPlace(path='models/train.ipynb', directory='models')
    >>> notebook_place("private/train.ipynb", person="ada")
    NotebookPlace(path='private/ada/train.ipynb', directory='.')
    """
    parts = PurePosixPath(path).parts
    folder, inner = parts[:1], parts[1:]
    if inner and folder == ("project",):
        place = PurePosixPath(*inner)
        return NotebookPlace(path=place.as_posix(), directory=place.parent.as_posix())
    if inner and folder == ("private",):
        private = PurePosixPath("private", folder_name(person), *inner)
        return NotebookPlace(path=private.as_posix(), directory=".")
    raise InvalidInput(
        f"{path[:200]!r} lies neither in the project's folder nor in your private one: a notebook's"
        " path begins with project/ or private/."
    )
