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

from nb2prod import __version__
from nb2prod.errors import InvalidInput, NameInvalid, PreflightBlocked, PromotionRaced
from nb2prod.export.models import Finding
from nb2prod.export.preflight import preflight
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import Parameter, find_parameters
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.contents import Material, make_contents
from nb2prod.registry.findings import origin_findings
from nb2prod.registry.lock import ObservedEnvironment, observe_environment
from nb2prod.registry.models import (
    Manifest,
    Reference,
    Version,
    check_pipeline_name,
)
from nb2prod.registry.policies import read_policy, weighed
from nb2prod.registry.project_files import FolderFiles, ProjectFiles
from nb2prod.registry.run_settings import read_run_settings
from nb2prod.registry.stored import (
    PIPELINES_FOLDER,
    VersionEntry,
    list_versions,
    load_version,
    newest_locks,
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
        return any(finding.blocks for finding in self.findings)

    @property
    def reference(self) -> Reference:
        """The version that it would become, unless somebody else promotes first."""
        number = 1 if self.former is None else self.former.number + 1
        return Reference(self.pipeline, number)

    @property
    def script(self) -> str:
        """The new version's script; empty where a finding blocks."""
        return self.files.get(self._script_path, b"").decode() if self.files else ""

    @property
    def _script_path(self) -> str:
        return script_path(self.pipeline, self.notebook.language)

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
        project=FolderFiles(root=repository.root, is_own=True),
    )


def propose_content(
    *,
    repository: Path,
    notebook: Notebook,
    path: str,
    directory: str,
    environment: EnvironmentOf,
    name: str | None = None,
    project: ProjectFiles | None = None,
) -> Proposal:
    """Check a notebook, wherever it came from, and prepare its next version.

    Nothing is changed, and nothing is read but the repository, the project's files, and what
    ``environment`` reads. Where the project declares an environment of which no version has a
    lock yet, a package index may be asked.

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
    project
        The files of the project's folder, for its own modules and what declares its environment;
        `None` where they can't be read here.

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
    parameters = find_parameters(notebook).parameters
    settings, of_settings = read_run_settings(notebook.metadata, parameters)
    policy, of_policy = read_policy(project, directory)
    findings = [
        *preflight(notebook, directory=directory),
        *of_settings,
        *of_policy,
        *origin_findings(path, former, is_detached=not opened.is_bare() and opened.is_detached()),
    ]
    contents: Mapping[str, bytes] = {}
    manifest = None
    judged = weighed(findings, notebook, policy, has_environment=False)
    if not any(finding.blocks for finding in judged):
        made = make_contents(
            Material(
                pipeline=pipeline,
                notebook=notebook,
                path=path,
                directory=directory,
                parameters=parameters,
                run=settings,
                observed=environment(notebook.kernel_name),
                files=project,
                former=newest_locks(opened, pipeline),
            )
        )
        judged = weighed([*findings, *made.findings], notebook, policy, has_environment=True)
        manifest, contents = made.manifest, made.files
    return Proposal(
        repository=repository,
        pipeline=pipeline,
        notebook=notebook,
        findings=judged,
        parameters=parameters,
        files=contents,
        manifest=manifest,
        former=former,
    )


def check(
    notebook: Notebook, *, project: ProjectFiles | None = None, directory: str | None = None
) -> tuple[Finding, ...]:
    """Check a notebook as promotion does, but for what only a repository or a kernel can tell.

    Parameters
    ----------
    project
        The files of the project's folder, for its policy.
    directory
        The notebook's folder, relative to the project's; `None` where there is no project.

    Returns
    -------
    tuple of Finding
        Blocking ones first, silenced ones last.
    """
    _, of_settings = read_run_settings(notebook.metadata, find_parameters(notebook).parameters)
    policy, of_policy = read_policy(project, directory or ".")
    found = [*preflight(notebook, directory=directory), *of_settings, *of_policy]
    return weighed(found, notebook, policy, has_environment=False)


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
            findings=[finding.code for finding in proposal.findings if finding.blocks],
        )
    repository = Repository(proposal.repository)
    repository.settle()
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


def _check_beneath(path: str) -> None:
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or not path:
        raise InvalidInput(f"{path!r} is no path inside of the project.")
    # Half a character can't be written to a file, and a line end would break the commit's message.
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF for character in path):
        raise InvalidInput(f"{path!r} has characters that a path in a project can't have.")


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
