"""Promotion in a workspace on another machine: the notebook goes there, and is checked there."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from nb2prod.errors import InvalidInput, RepositoryNotFound
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.contents import needed_files
from nb2prod.registry.project_files import FolderFiles
from nb2prod.remote.client import ServiceClient, unknown_answer
from nb2prod.store.git import Repository


@dataclass(frozen=True, kw_only=True)
class SentNotebook:
    """A notebook as the workspace is given it.

    Parameters
    ----------
    path
        Where it lies in the project's folder.
    content
        In Jupyter's format.
    pipeline
        Name of the pipeline; `None` for the notebook's.
    files
        The project's own modules that it imports, and what declares its environment: content by
        path in the project's folder.
    """

    path: str
    content: Mapping[str, Any]
    pipeline: str | None
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(
        cls, notebook: Path, *, path: str | None = None, pipeline: str | None = None
    ) -> SentNotebook:
        """Read a notebook's file.

        Parameters
        ----------
        path
            Where it lies in the project's folder; by default as in its repository, or, outside
            of any, in the folder itself.

        Raises
        ------
        NotebookUnreadable
            It is no notebook.
        InvalidInput
            ``path`` does not lie in a project's folder.
        """
        read = read_notebook(notebook)
        own = _place_in_repository(notebook)
        place = path or own
        if place.startswith("/") or ".." in place.split("/"):
            raise InvalidInput(f"{place!r} is no path inside of the project's folder.")
        return cls(
            path=place,
            content=json.loads(notebook.read_bytes()),
            pipeline=pipeline,
            files=_files(read, notebook.resolve(), own, place),
        )

    @property
    def body(self) -> dict[str, Any]:
        """What the service is asked with."""
        files = {path: base64.b64encode(self.files[path]).decode() for path in self.files}
        body = {"path": f"project/{self.path}", "notebook": self.content, "files": files}
        return body if self.pipeline is None else {**body, "name": self.pipeline}


@dataclass(frozen=True, kw_only=True)
class RemoteProposal:
    """What the workspace says that promotion would make; see `nb2prod.registry.versions.Proposal`.

    Parameters
    ----------
    reference, former
        As people write them; ``former`` is `None` for a pipeline's first version.
    diff
        Of the script, against the former version's.
    """

    pipeline: str
    reference: str
    former: str | None
    is_unchanged: bool
    is_blocked: bool
    digest: str
    findings: tuple[Finding, ...]
    parameters: tuple[Parameter, ...]
    script: str
    diff: str


@dataclass(frozen=True, kw_only=True)
class RemoteVersion:
    """A version that the workspace has made, or had already."""

    pipeline: str
    number: int
    reference: str
    commit: str


def propose_there(client: ServiceClient, project: str, sent: SentNotebook) -> RemoteProposal:
    """Let the workspace check a notebook; changes nothing.

    Raises
    ------
    ProjectNotFound, RoleInsufficient, NameInvalid, KernelUnavailable, ServiceUnreachable
        The workspace refuses it, or does not answer.
    """
    answer = client.post(sent.body, "projects", project, "proposals")
    try:
        return RemoteProposal(
            **{
                **_known(RemoteProposal, answer),
                "findings": tuple(_finding(item) for item in answer["findings"]),
                "parameters": tuple(parameter_of_answer(item) for item in answer["parameters"]),
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        raise unknown_answer("answers") from error


def confirm_there(
    client: ServiceClient, project: str, sent: SentNotebook, proposal: RemoteProposal
) -> RemoteVersion:
    """Let the workspace make the version that it has proposed.

    Raises
    ------
    PreflightBlocked
        A finding blocks.
    ProposalStale
        It would not be what was proposed.
    RoleInsufficient, PromotionRaced, ServiceUnreachable
        The workspace refuses it, or does not answer.
    """
    body = {**sent.body, "digest": proposal.digest}
    answer = client.post(body, "projects", project, "versions")
    try:
        return RemoteVersion(**_known(RemoteVersion, answer))
    except TypeError as error:
        raise unknown_answer("answers") from error


def _place_in_repository(notebook: Path) -> str:
    resolved = notebook.resolve()
    try:
        root = Repository.discover(resolved).root.resolve()
    except RepositoryNotFound:
        return resolved.name
    return resolved.relative_to(root).as_posix()


def _files(notebook: Notebook, path: Path, own: str, place: str) -> dict[str, bytes]:
    """Return what else promotion reads, at its path in the project's folder."""
    folder = PurePosixPath(place).parent
    if own == place:
        root = path.parents[len(folder.parts)]
        return needed_files(notebook, FolderFiles(root=root, is_own=True), folder.as_posix())
    # Of a notebook that is to lie elsewhere, only what lies beside it comes along.
    found = needed_files(notebook, FolderFiles(root=path.parent, is_own=True), ".")
    return {(folder / name).as_posix(): content for name, content in found.items()}


def _finding(item: Mapping[str, Any]) -> Finding:
    return Finding(**{**_known(Finding, item), "severity": Severity(item["severity"])})


def parameter_of_answer(item: Mapping[str, Any]) -> Parameter:
    """Return the parameter that a service tells of; raises `KeyError` and `ValueError`."""
    item_type = item["item_type"]
    return Parameter(
        **{
            **_known(Parameter, item),
            "type": ParameterType(item["type"]),
            "choices": tuple(item["choices"]),
            "item_type": None if item_type is None else ParameterType(item_type),
        }
    )


def _known(kind: type[Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    # A newer service may tell of more.
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in answer.items() if name in names}
