"""papermill reads versions: ``nb2prod://./train@v3`` and ``nb2prod://project/train@v3``.

A project is one of the workspace that NB2PROD_SERVER names, or else of this machine's.
"""

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
from nb2prod.settings import RemoteSettings, Settings
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
        NotSignedIn, ServiceUnreachable
            The workspace at NB2PROD_SERVER does not know the token, or does not answer.
        """
        project, text = _parse(path)
        reference = Reference.parse(text)
        node: Mapping[str, Any]
        settings = RemoteSettings.from_environment()
        if project is not None and settings.server:
            from nb2prod.execution.papermill_there import read_there

            node = read_there(settings, project, reference)
        else:
            name, root = _found(project)
            node = version_node(load_version(root, reference), project=name)
        return json.dumps(node, ensure_ascii=False, indent=1)

    @classmethod
    def listdir(cls, path: str) -> list[str]:
        """Return the addresses of all versions in a project: ``nb2prod://project``."""
        project, _ = _parse(path)
        settings = RemoteSettings.from_environment()
        if project is not None and settings.server:
            from nb2prod.execution.papermill_there import list_there

            references = list_there(settings, project)
        else:
            references = [entry.reference for entry in list_versions(_found(project)[1])]
        return [f"{SCHEME}{project or '.'}/{reference}" for reference in references]

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
    said = dict(node.metadata.get(METADATA_KEY, {}))
    # Of a workspace elsewhere, whose version this one was made of.
    said.pop("server", None)
    node.metadata[METADATA_KEY] = {
        **said,
        "project": project,
        "root": str(version.repository),
        "pipeline": version.pipeline,
        "version": version.number,
        "commit": version.commit,
    }
    return node


def _parse(path: str) -> tuple[str | None, str]:
    """Return an address's project, `None` for the repository of the current folder, and version."""
    match = _ADDRESS.match(path)
    if match is None:
        raise ReferenceInvalid(
            f"{path!r} is no address of a version. Write `nb2prod://./train@v3` for this"
            " repository, or `nb2prod://PROJECT/train@v3`."
        )
    project = match["project"]
    return None if project == "." else project, match["reference"] or ""


def _found(project: str | None) -> tuple[str | None, Path]:
    """Return a project of this machine's workspace: its name and its repository."""
    if project is None:
        return None, Repository.discover(Path.cwd()).root
    settings = Settings.from_environment()
    with open_workspace(settings) as workspace:
        found = get_project(workspace, project, person=settings.person)
    return found.name, found.repository
