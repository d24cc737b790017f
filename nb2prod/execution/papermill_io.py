"""papermill reads versions: ``nb2prod://./train@v3`` and ``nb2prod://project/train@v3``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb2prod.errors import NotAVersion, ReferenceInvalid
from nb2prod.notebook.reading import to_node
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import list_versions, load_version, version_notebook
from nb2prod.settings import Settings
from nb2prod.store.git import Repository
from nb2prod.workspace.projects import get_project
from nb2prod.workspace.workspace import open_workspace

if TYPE_CHECKING:
    from nbformat import NotebookNode

SCHEME = "nb2prod://"
METADATA_KEY = "nb2prod"

_ADDRESS = re.compile(r"nb2prod://(?P<project>[^/]+)(/(?P<reference>.*))?\Z")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which version a notebook is: ``metadata.nb2prod`` of what `VersionHandler` reads.

    ``project`` is `None` for a repository that was named by its folder.
    """

    project: str | None
    root: Path
    reference: Reference
    commit: str

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Origin | None:
        """Read it from a notebook's metadata; `None` where it says nothing of the kind."""
        said = metadata.get(METADATA_KEY)
        if not isinstance(said, Mapping) or not {"root", "pipeline", "version"} <= set(said):
            return None
        try:
            return cls(
                project=said.get("project"),
                root=Path(said["root"]),
                reference=Reference(str(said["pipeline"]), int(said["version"])),
                commit=str(said.get("commit")),
            )
        except (TypeError, ValueError):
            return None


class VersionHandler:
    """Handler of papermill for addresses of versions; it registers the class itself.

    Versions are read only: promotion makes them, and our engine records runs. So what is
    written under such an address is refused.
    """

    @classmethod
    def read(cls, path: str) -> str:
        """Return a version as a notebook, as JSON text.

        Parameters
        ----------
        path
            ``nb2prod://./train@v3`` for the repository of the current folder, or
            ``nb2prod://project/train@v3``; without ``@v…`` the newest.

        Raises
        ------
        ReferenceInvalid, ProjectNotFound, PipelineNotFound, VersionNotFound, RepositoryNotFound
            There is none such.
        """
        project, root, reference = _parse(path)
        version = load_version(root, Reference.parse(reference))
        return json.dumps(version_node(version, project=project), ensure_ascii=False, indent=1)

    @classmethod
    def listdir(cls, path: str) -> list[str]:
        """Return the addresses of all versions in a project: ``nb2prod://project``."""
        _, root, _ = _parse(path)
        base = path.partition(SCHEME)[2].partition("/")[0]
        return [f"{SCHEME}{base}/{entry.reference}" for entry in list_versions(root)]

    @classmethod
    def write(cls, buf: str, path: str) -> None:
        """Refuse; see the class."""
        raise NotAVersion(
            f"{path} can't be written: a version is made by `nb2prod promote`. Give a file as"
            " the output; the run is recorded by `--engine nb2prod` in any case."
        )

    @classmethod
    def pretty_path(cls, path: str) -> str:
        """Return the address as it is."""
        return path


def version_node(version: Version, *, project: str | None) -> NotebookNode:
    """Return a version as nbformat's notebook, with its origin in the metadata."""
    node = to_node(version_notebook(version))
    node.metadata[METADATA_KEY] = {
        **node.metadata.get(METADATA_KEY, {}),
        "project": project,
        "root": str(version.repository),
        "pipeline": version.pipeline,
        "version": version.number,
        "commit": version.commit,
    }
    return node


def _parse(path: str) -> tuple[str | None, Path, str]:
    match = _ADDRESS.match(path)
    if match is None:
        raise ReferenceInvalid(
            f"{path!r} is no address of a version. Write `nb2prod://./train@v3` for this"
            " repository, or `nb2prod://PROJECT/train@v3`."
        )
    reference = match["reference"] or ""
    if match["project"] == ".":
        return None, Repository.discover(Path.cwd()).root, reference
    settings = Settings.from_environment()
    with open_workspace(settings) as workspace:
        project = get_project(workspace, match["project"], person=settings.person)
    return project.name, project.repository, reference
