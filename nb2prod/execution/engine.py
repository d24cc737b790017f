"""papermill's engine ``nb2prod``: runs a version, and makes a record of it that is true.

papermill hands over a notebook with its own parameters cell and then judges what comes back
by the outputs alone. So this engine takes the version itself from git, writes the parameters
by their types, and hands back a notebook by which papermill comes to the same verdict as the
record. The notebook is written once, at the end.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import nbformat
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from nb2prod.errors import InvalidInput, NotAVersion, RunUnsuccessful
from nb2prod.execution.execute import RunSession, execute
from nb2prod.execution.models import (
    CellStatus,
    CiContext,
    Profile,
    RunRecord,
    RunRequest,
    RunStatus,
)
from nb2prod.execution.papermill_io import Origin
from nb2prod.execution.papermill_report import PapermillReport
from nb2prod.execution.papermill_there import (
    RemoteOrigin,
    client_of,
    run_there,
    sources_there,
)
from nb2prod.execution.place import WorkspacePlace
from nb2prod.execution.preparation import has_tag, prepare_notebook
from nb2prod.execution.runner import Limits
from nb2prod.execution.runs import create_run, full_values
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import load_version, version_notebook
from nb2prod.settings import RemoteSettings, Settings
from nb2prod.workspace.projects import Project, get_project, project_of
from nb2prod.workspace.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

SESSION = "nb2prod_session"

# What papermill hands to any engine, and this one has no use for.
_UNUSED = frozenset({"input_path", "autosave_cell_every", "request_save_on_cell_execute"})


class KernelDied(RunUnsuccessful, DeadKernelError):  # type: ignore[misc]
    """The kernel died; also nbclient's error, for which papermill's command exits with 138."""


class Nb2prodEngine:
    """The engine ``nb2prod``, registered by its entry point.

    It has the methods of `papermill.engines.Engine` that papermill calls, and is no subclass:
    that module loads all engines while it is being imported, this one too.
    """

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        """Execute a version that papermill has read, and return the executed notebook.

        Parameters
        ----------
        nb
            The notebook of a version, perhaps with papermill's injected parameters.
        output_path
            Not used: papermill writes the file when it gets the notebook back.
        **options
            papermill's; ``execution_timeout`` is a cell's, and ours is ``run_timeout``, both
            in seconds. Unknown ones are refused.

        Raises
        ------
        NotAVersion
            The notebook is no version, or is not as the version is.
        ParameterUnknown, ParameterInvalid
            A parameter is not the version's, or not of its type.
        KernelUnavailable
            There is no kernel; the run has ended as `failed`.
        NotSignedIn, RoleInsufficient, ServiceUnreachable
            The version is of a workspace on another machine, which refuses the run or does not
            answer.
        RunUnsuccessful
            The run did not succeed, and not for an error in a cell (which is papermill's to
            raise); the executed notebook is written.
        """
        there = RemoteOrigin.of(nb.metadata)
        if there is not None:
            return _executed_there(nb, there, kernel_name, options)
        with _session(nb, options) as session:
            node = _prepared(nb, session)
            record = execute(session, node, kernel_name)
            content = session.place.executed(record)
        executed = nbformat.from_dict(json.loads(content))
        return _judged(executed, record, nb.metadata.get("papermill", {}).get("output_path"))

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the kernel to use: the one that is asked for, else the notebook's."""
        from papermill.utils import nb_kernel_name

        kernel_name: str = nb_kernel_name(nb, name)
        return kernel_name

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the language that papermill writes parameters in."""
        from papermill.utils import nb_language

        found: str = nb_language(nb, language)
        return found


def _executed_there(
    nb: NotebookNode, origin: RemoteOrigin, kernel_name: str, options: dict[str, Any]
) -> NotebookNode:
    """Let the workspace that a notebook is from run it."""
    own = nb.metadata.get("kernelspec", {}).get("name")
    if kernel_name != own:
        raise InvalidInput(f"{origin.reference} runs in its workspace with its own kernel, {own}.")
    listener, limits = _papermill_options(options)
    values = _given_values(nb)
    with client_of(origin) as client:
        _check_cells(nb, origin.reference, sources_there(client, origin))
        record, content = run_there(client, origin, values, limits=limits, listener=listener.show)
    if content is None:
        raise _unsuccessful(record)
    executed = nbformat.from_dict(json.loads(content))
    _take_over(executed, nb)
    return _judged(executed, record, nb.metadata.get("papermill", {}).get("output_path"))


@contextmanager
def _session(nb: NotebookNode, options: dict[str, Any]) -> Iterator[RunSession]:
    given: RunSession | None = options.pop(SESSION, None)
    if given is not None:
        yield given
        return
    origin = Origin.of(nb.metadata)
    if origin is None:
        raise NotAVersion(
            "This notebook is no promoted version, so its run can't be recorded. Promote it with"
            " `nb2prod promote NOTEBOOK` and run `nb2prod://./NAME@v1`, or run it without"
            " `--engine nb2prod`."
        )
    listener, limits = _papermill_options(options)
    settings = Settings.from_environment()
    version = load_version(origin.root, origin.reference)
    values = full_values(version, _given_values(nb), Profile.FULL)
    _check_cells(nb, origin.reference, [cell.source for cell in version_notebook(version).cells])
    with open_workspace(settings) as workspace:
        project = _project(workspace, version, origin)
        record = create_run(
            workspace,
            version,
            values,
            project=project,
            request=RunRequest(
                by=settings.person,
                via="papermill",
                ci=CiContext.of(RemoteSettings.from_environment()),
            ),
        )
        yield RunSession(
            place=WorkspacePlace(workspace, record),
            version=version,
            root=project.root,
            record=record,
            limits=limits,
            listener=listener.show,
        )


def _project(workspace: Workspace, version: Version, origin: Origin) -> Project:
    person = workspace.settings.person
    if origin.project is None:
        return project_of(workspace, version.repository, person=person)
    return get_project(workspace, origin.project, person=person)


def _papermill_options(options: dict[str, Any]) -> tuple[PapermillReport, Limits]:
    report = PapermillReport(
        progress_bar=options.pop("progress_bar", True),
        log_output=bool(options.pop("log_output", False)),
        stdout_file=options.pop("stdout_file", None),
        stderr_file=options.pop("stderr_file", None),
    )
    limits = Limits(
        cell_timeout_s=options.pop("execution_timeout", None) or None,
        timeout_s=options.pop("run_timeout", None) or None,
        start_timeout_s=options.pop("start_timeout", None) or Limits().start_timeout_s,
    )
    unknown = sorted(set(options) - _UNUSED)
    if unknown:
        raise TypeError(f"the engine nb2prod has no option {', '.join(unknown)}")
    return report, limits


def _given_values(nb: NotebookNode) -> Mapping[str, object]:
    given = nb.metadata.get("papermill", {}).get("parameters") or {}
    return {name: _as_json(value) for name, value in given.items()}


def _as_json(value: object) -> object:
    # Who calls papermill from Python gives dates and paths as they are.
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _own_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if not has_tag(cell, INJECTED_PARAMETERS_TAG)]


def _check_cells(nb: NotebookNode, reference: Reference, sources: list[str]) -> None:
    if [cell.source for cell in _own_cells(nb)] != sources:
        raise NotAVersion(
            f"This notebook says that it is {reference}, but its cells are not that"
            " version's. Promote it, and run the new version."
        )


def _prepared(nb: NotebookNode, session: RunSession) -> NotebookNode:
    """Return the version's notebook as it will run, with what papermill says of it."""
    node = prepare_notebook(session.version, session.record)
    _take_over(node, nb)
    return node


def _take_over(node: NotebookNode, nb: NotebookNode) -> None:
    """Write into a notebook what papermill says of the one that it has read."""
    own = (cell for cell in node.cells if not has_tag(cell, INJECTED_PARAMETERS_TAG))
    for cell, given in zip(own, _own_cells(nb), strict=True):
        # papermill's `--report-mode` hides sources.
        if "jupyter" in given.metadata:
            cell.metadata["jupyter"] = given.metadata["jupyter"]
    paths = nb.metadata.get("papermill", {})
    said = {name: value for name, value in paths.items() if not isinstance(value, NotebookNode)}
    node.metadata["papermill"] = {**said, **node.metadata["papermill"]}


class _ExpectedError(NotebookNode):  # type: ignore[misc]
    # papermill takes every error output for a failure, also one that the author expects
    # (`raises-exception`). It looks at the attribute; files are written from the items.
    output_type = "expected-error"


def _judged(node: NotebookNode, record: RunRecord, output_path: str | None) -> NotebookNode:
    """Return a notebook that papermill judges as the record does, or raise."""
    failed = [cell for cell in record.cells if cell.status is CellStatus.FAILED]
    for cell in record.cells:
        if cell.status is CellStatus.SUCCEEDED:
            code = node.cells[cell.number - 1]
            code.outputs = [
                _ExpectedError(output) if output["output_type"] == "error" else output
                for output in code.outputs
            ]
    has_error = any(
        output["output_type"] == "error"
        for cell in failed
        for output in node.cells[cell.number - 1].outputs
    )
    if record.status is RunStatus.SUCCEEDED or (record.status is RunStatus.FAILED and has_error):
        return node
    if output_path is not None:
        from papermill.iorw import write_ipynb

        write_ipynb(node, output_path)
    raise _unsuccessful(record)


def _unsuccessful(record: RunRecord) -> RunUnsuccessful:
    kind = KernelDied if record.status is RunStatus.KERNEL_DIED else RunUnsuccessful
    return kind(
        f"{record.reference} {record.status.value}: {record.reason}",
        run=record.id,
        status=record.status.value,
    )
