"""Promotion: a proposal that can be read, then one commit and one tag.

Numbers have no gaps and never move, and equal content is not a new version.
`nb2prod.registry.stored` has how a version lies in git.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nb2prod import __version__
from nb2prod.errors import InvalidInput, NameInvalid, PreflightBlocked, PromotionRaced
from nb2prod.export.assets import extract_assets
from nb2prod.export.dependencies import direct_dependencies, imported_modules
from nb2prod.export.models import Finding, Severity
from nb2prod.export.preflight import preflight
from nb2prod.export.script import to_script
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import Parameter, find_parameters
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.findings import environment_findings, origin_findings
from nb2prod.registry.lock import ObservedEnvironment, observe_environment
from nb2prod.registry.manifest import LOCK_FILE, MANIFEST_FILE, write_manifest
from nb2prod.registry.models import (
    EnvironmentLock,
    Manifest,
    Reference,
    RunSettings,
    Version,
    check_pipeline_name,
)
from nb2prod.registry.run_settings import read_run_settings
from nb2prod.registry.stored import (
    PIPELINES_FOLDER,
    VersionEntry,
    list_versions,
    load_version,
    newest_version,
    script_path,
    version_entries,
    version_files,
    version_notebook,
)
from nb2prod.store.git import Author, Repository

__all__ = [
    "PIPELINES_FOLDER",
    "EnvironmentOf",
    "Proposal",
    "VersionEntry",
    "check",
    "confirm",
    "list_versions",
    "load_version",
    "propose",
    "propose_content",
    "version_notebook",
]

log = logging.getLogger(__name__)

RACES_BEFORE_GIVING_UP = 10

# From the name of a kernel to what its environment has installed; raises `KernelUnavailable`.
EnvironmentOf = Callable[[str], ObservedEnvironment]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a promotion would make; nothing has been changed yet.

    Parameters
    ----------
    repository
        Where the version would be made.
    findings
        All findings, blocking ones first.
    parameters
        Those of the parameters cell, also where a finding blocks.
    files
        Contents by path in the repository; empty where a finding blocks.
    manifest
        `None` where a finding blocks.
    former
        The newest version; `None` for a pipeline's first.
    """

    repository: Path
    pipeline: str
    notebook: Notebook
    findings: tuple[Finding, ...]
    parameters: tuple[Parameter, ...]
    files: Mapping[str, bytes]
    manifest: Manifest | None
    former: Version | None

    @property
    def is_blocked(self) -> bool:
        """Whether a finding makes promotion impossible."""
        return any(finding.severity is Severity.BLOCKING for finding in self.findings)

    @property
    def reference(self) -> Reference:
        """The version that it would become, unless somebody else promotes first."""
        number = 1 if self.former is None else self.former.number + 1
        return Reference(self.pipeline, number)

    @property
    def script(self) -> str:
        """The new version's script; empty where a finding blocks."""
        return self.files.get(script_path(self.pipeline), b"").decode()

    @property
    def is_unchanged(self) -> bool:
        """Whether the newest version has the same content already."""
        return self.former is not None and self.files == version_files(self.former)

    @property
    def digest(self) -> str:
        """A sha256 over the pipeline and all that would be stored; empty where a finding blocks.

        Two proposals of one digest become the same version, whatever else was promoted in
        between: so what was shown to a person can be told from what is confirmed.
        """
        if not self.files:
            return ""
        hashed = hashlib.sha256(self.pipeline.encode())
        for path in sorted(self.files):
            # Each of known length, so that no other contents give the same bytes.
            hashed.update(f"\0{path}\0{len(self.files[path])}\0".encode())
            hashed.update(self.files[path])
        return hashed.hexdigest()


def propose(notebook_path: Path, *, name: str | None = None) -> Proposal:
    """Check a notebook in a work tree and prepare its next version, without changing anything.

    Parameters
    ----------
    notebook_path
        A notebook in a git repository.
    name
        The pipeline's name; by default the notebook's file name.

    Raises
    ------
    NotebookUnreadable, RepositoryNotFound, NameInvalid, KernelUnavailable
        There is nothing to propose.
    """
    notebook = read_notebook(notebook_path)
    repository = Repository.discover(notebook_path.resolve())
    relative = notebook_path.resolve().relative_to(repository.root.resolve())
    return propose_content(
        repository=repository.root,
        notebook=notebook,
        path=relative.as_posix(),
        directory=relative.parent.as_posix(),
        environment=observe_environment,
        name=name,
    )


def propose_content(
    *,
    repository: Path,
    notebook: Notebook,
    path: str,
    directory: str,
    environment: EnvironmentOf,
    name: str | None = None,
) -> Proposal:
    """Check a notebook, wherever it came from, and prepare its next version.

    Nothing is changed, and nothing is read but the repository and what ``environment`` reads.

    Parameters
    ----------
    repository
        A work tree or a bare repository.
    path
        Where the notebook lies: in the project's folder, or ``private/<person>/…``.
    directory
        The working directory of runs, relative to the project's folder; ``.`` for the folder.
    environment
        Asked once, and only where nothing blocks.
    name
        The pipeline's name; by default the notebook's.

    Raises
    ------
    NameInvalid
        The pipeline's name breaks the rule.
    InvalidInput
        ``path`` or ``directory`` does not lie beneath the project.
    KernelUnavailable, ImageMissing
        ``environment`` does not know the notebook's kernel.
    """
    _check_beneath(path)
    _check_beneath(directory)
    opened = Repository(repository)
    pipeline = check_pipeline_name(name) if name else _name_from(notebook.name)
    former = newest_version(opened, pipeline)
    parameters = _parameters(notebook)
    settings, of_settings = read_run_settings(notebook.metadata, parameters)
    findings = [
        *preflight(notebook),
        *of_settings,
        *origin_findings(path, former, is_detached=not opened.is_bare() and opened.is_detached()),
    ]
    files: dict[str, bytes] = {}
    manifest = None
    if not any(finding.severity is Severity.BLOCKING for finding in findings):
        observed = environment(notebook.kernel_name)
        findings += environment_findings(observed, _dependencies(notebook, observed))
        manifest = _manifest(
            notebook, path, directory, parameters, lock=observed.lock, run=settings
        )
        files = _files(pipeline, notebook, manifest, observed)
    return Proposal(
        repository=repository,
        pipeline=pipeline,
        notebook=notebook,
        findings=tuple(sorted(findings, key=_is_not_blocking)),
        parameters=parameters,
        files=files,
        manifest=manifest,
        former=former,
    )


def check(notebook: Notebook) -> tuple[Finding, ...]:
    """Check a notebook as promotion does, but for what only a repository or a kernel can tell.

    Returns
    -------
    tuple of Finding
        Blocking ones first.
    """
    _, of_settings = read_run_settings(notebook.metadata, _parameters(notebook))
    found = preflight(notebook)
    return (*sorted((*found, *of_settings), key=_is_not_blocking),)


def confirm(proposal: Proposal, author: Author | None = None) -> Version:
    """Make the version that was proposed: one commit and one tag, or neither.

    Two people promoting at once both get a version, with different numbers; a content that
    the newest version has by now gives that version, and no new one.

    Parameters
    ----------
    author
        Who promotes; by default whom git's configuration names.

    Raises
    ------
    PreflightBlocked
        A finding blocks.
    PromotionRaced
        Others committed again and again meanwhile.
    NameInvalid
        A tag of somebody's own stands in the way.
    IdentityMissing, StorageFull, StorageUnusable
        Git could not make the commit; nothing was changed.
    """
    if proposal.is_blocked:
        raise PreflightBlocked(
            f"{proposal.notebook.name}.ipynb has findings that block its promotion; mend them"
            " and promote again.",
            findings=[
                finding.code
                for finding in proposal.findings
                if finding.severity is Severity.BLOCKING
            ],
        )
    repository = Repository(proposal.repository)
    for attempt in range(1, RACES_BEFORE_GIVING_UP + 1):
        parent = repository.head()
        newest = newest_version(repository, proposal.pipeline)
        if newest is not None and version_files(newest) == proposal.files:
            return newest
        number = 1 if newest is None else newest.number + 1
        reference = Reference(proposal.pipeline, number)
        try:
            repository.commit_and_tag(
                proposal.files,
                replaces=f"{PIPELINES_FOLDER}/{proposal.pipeline}",
                message=f"Promote {reference}\n\n"
                f"From {_origin(proposal)}, by nb2prod {__version__}.",
                tag=f"{proposal.pipeline}/v{number}",
                parent=parent,
                author=author,
            )
        except PromotionRaced as error:
            _require_free_tag(repository, reference, error)
            if attempt == RACES_BEFORE_GIVING_UP:
                raise
            log.info("Promotion raced, trying again reference=%s attempt=%d", reference, attempt)
            continue
        return load_version(proposal.repository, reference)
    raise AssertionError("unreachable")


def _is_not_blocking(finding: Finding) -> bool:
    return finding.severity is not Severity.BLOCKING


def _check_beneath(path: str) -> None:
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or not path:
        raise InvalidInput(f"{path!r} is no path inside of the project.")
    # Half a character can't be written to a file, and a line end would break the commit's message.
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF for character in path):
        raise InvalidInput(f"{path!r} has characters that a path in a project can't have.")


def _dependencies(notebook: Notebook, observed: ObservedEnvironment) -> set[str]:
    imported = imported_modules(cell.source for cell in notebook.code_cells)
    # An editable package doesn't say which modules it has; most are named as it is.
    return {
        *direct_dependencies(imported, observed.distributions),
        *(module.partition(".")[0] for module in imported),
    }


def _manifest(
    notebook: Notebook,
    path: str,
    directory: str,
    parameters: tuple[Parameter, ...],
    *,
    lock: EnvironmentLock,
    run: RunSettings,
) -> Manifest:
    ours: Any = notebook.metadata.get("nb2prod")
    said = ours if isinstance(ours, Mapping) else {}
    main, lower = said.get("main_metric"), said.get("lower_is_better")
    return Manifest(
        title=notebook.title,
        kernel_name=notebook.kernel_name,
        kernel_display_name=notebook.kernel_display_name,
        language=notebook.language,
        notebook=path,
        directory=directory,
        parameters=parameters,
        python=lock.python,
        lock_is_observed=lock.is_observed,
        main_metric=main if isinstance(main, str) and main else None,
        lower_is_better=lower if isinstance(lower, bool) and main else None,
        run=run,
    )


def _parameters(notebook: Notebook) -> tuple[Parameter, ...]:
    return find_parameters(notebook).parameters if notebook.language == "python" else ()


def _files(
    pipeline: str, notebook: Notebook, manifest: Manifest, observed: ObservedEnvironment
) -> dict[str, bytes]:
    plain, assets = extract_assets(notebook)
    script = to_script(plain, manifest.parameters, distributions=observed.distributions)
    folder = f"{PIPELINES_FOLDER}/{pipeline}"
    return {
        script_path(pipeline): script.encode(),
        f"{folder}/{MANIFEST_FILE}": write_manifest(manifest).encode(),
        f"{folder}/{LOCK_FILE}": observed.lock.text.encode(),
        **{f"{folder}/{path}": content for path, content in assets.items()},
    }


def _origin(proposal: Proposal) -> str:
    return proposal.manifest.notebook if proposal.manifest else f"{proposal.notebook.name}.ipynb"


def _require_free_tag(repository: Repository, reference: Reference, cause: Exception) -> None:
    # A tag of somebody's own would lose us every race for its name.
    ours = {entry.tag for entry in version_entries(repository, reference.pipeline)}
    others = {tag.name for tag in repository.tags(reference.pipeline)} - ours
    for name in (reference.pipeline, f"{reference.pipeline}/v{reference.number}"):
        if name in others:
            raise NameInvalid(
                f"{reference} can't be made: the repository has a tag {name!r} that is no version."
                " Give the pipeline another name with `--name`, or rename that tag."
            ) from cause


def _name_from(notebook_name: str) -> str:
    return check_pipeline_name(re.sub(r"[^A-Za-z0-9_-]+", "-", notebook_name).strip("-_"))
