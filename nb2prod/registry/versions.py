"""Promotion and versions: a proposal that can be read, then one commit and one tag.

A version lies in ``pipelines/<name>/`` of the repository: the script, ``pipeline.toml``, the
environment lock, and assets taken from markdown. Its tag is ``<name>/v<N>``. Numbers have no
gaps and never move, and equal content is not a new version.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nb2prod import __version__
from nb2prod.errors import (
    NameInvalid,
    NotAVersion,
    PipelineNotFound,
    PreflightBlocked,
    PromotionRaced,
    VersionNotFound,
)
from nb2prod.export.assets import embed_assets, extract_assets
from nb2prod.export.dependencies import direct_dependencies, imported_modules
from nb2prod.export.models import Finding, Severity
from nb2prod.export.preflight import preflight
from nb2prod.export.script import from_script, to_script
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.reading import read_notebook
from nb2prod.registry.findings import environment_findings, origin_findings
from nb2prod.registry.lock import observe_environment
from nb2prod.registry.manifest import LOCK_FILE, MANIFEST_FILE, read_manifest, write_manifest
from nb2prod.registry.models import (
    EnvironmentLock,
    Manifest,
    Reference,
    Version,
    check_pipeline_name,
)
from nb2prod.store.git import Repository

log = logging.getLogger(__name__)

PIPELINES_FOLDER = "pipelines"
RACES_BEFORE_GIVING_UP = 10

_VERSION_TAG = re.compile(r"(?P<pipeline>[^/]+)/v(?P<number>[1-9][0-9]*)\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionEntry:
    """A version in a list; `load_version` gives the whole of it."""

    pipeline: str
    number: int
    commit: str
    author: str
    created_at: datetime

    @property
    def reference(self) -> Reference:
        """This version as people write it."""
        return Reference(self.pipeline, self.number)

    @property
    def tag(self) -> str:
        """Its tag's name."""
        return f"{self.pipeline}/v{self.number}"


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a promotion would make; nothing has been changed yet.

    Parameters
    ----------
    findings
        All findings, blocking ones first.
    files
        Contents by path in the repository; empty where a finding blocks.
    manifest
        `None` where a finding blocks.
    former
        The newest version; `None` for a pipeline's first.
    """

    root: Path
    pipeline: str
    notebook: Notebook
    findings: tuple[Finding, ...]
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
        return self.files.get(_script_path(self.pipeline), b"").decode()

    @property
    def is_unchanged(self) -> bool:
        """Whether the newest version has the same content already."""
        return self.former is not None and self.files == _files(self.former)


def propose(notebook_path: Path, *, name: str | None = None) -> Proposal:
    """Check a notebook and prepare its next version, without changing anything.

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
    pipeline = check_pipeline_name(name) if name else _name_from(notebook.name)
    relative = notebook_path.resolve().relative_to(repository.root.resolve())
    former = _newest(repository, pipeline)
    findings = [
        *preflight(notebook),
        *origin_findings(relative.as_posix(), former, is_detached=repository.is_detached()),
    ]
    blocked = any(finding.severity is Severity.BLOCKING for finding in findings)
    files: dict[str, bytes] = {}
    manifest = None
    if not blocked:
        environment = observe_environment(notebook.kernel_name)
        imported = imported_modules(cell.source for cell in notebook.code_cells)
        # An editable package doesn't say which modules it has; most are named as it is.
        dependencies = {
            *direct_dependencies(imported, environment.distributions),
            *(module.partition(".")[0] for module in imported),
        }
        findings += environment_findings(environment, dependencies)
        manifest = _manifest(notebook, relative, environment.lock)
        plain, assets = extract_assets(notebook)
        script = to_script(
            plain,
            manifest.parameters,
            distributions=environment.distributions,
        )
        folder = f"{PIPELINES_FOLDER}/{pipeline}"
        files = {
            _script_path(pipeline): script.encode(),
            f"{folder}/{MANIFEST_FILE}": write_manifest(manifest).encode(),
            f"{folder}/{LOCK_FILE}": environment.lock.text.encode(),
            **{f"{folder}/{path}": content for path, content in assets.items()},
        }
    return Proposal(
        root=repository.root,
        pipeline=pipeline,
        notebook=notebook,
        findings=tuple(findings),
        files=files,
        manifest=manifest,
        former=former,
    )


def confirm(proposal: Proposal) -> Version:
    """Make the version that was proposed: one commit and one tag, or neither.

    Two people promoting at once both get a version, with different numbers; a content that
    the newest version has by now gives that version, and no new one.

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
    repository = Repository(proposal.root)
    for attempt in range(1, RACES_BEFORE_GIVING_UP + 1):
        parent = repository.head()
        newest = _newest(repository, proposal.pipeline)
        if newest is not None and _files(newest) == proposal.files:
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
            )
        except PromotionRaced as error:
            _require_free_tag(repository, reference, error)
            if attempt == RACES_BEFORE_GIVING_UP:
                raise
            log.info("Promotion raced, trying again reference=%s attempt=%d", reference, attempt)
            continue
        return load_version(proposal.root, reference)
    raise AssertionError("unreachable")


def list_versions(root: Path, pipeline: str | None = None) -> tuple[VersionEntry, ...]:
    """Return the versions in a repository, by pipeline, newest first.

    Raises
    ------
    PipelineNotFound
        A pipeline was named that has no version.
    """
    repository = Repository(root)
    entries = _entries(repository, pipeline)
    if pipeline is not None and not entries:
        raise _no_pipeline(repository, pipeline)
    return entries


def load_version(root: Path, reference: Reference) -> Version:
    """Read a version from its tag; a reference without a number gives the newest.

    Raises
    ------
    PipelineNotFound, VersionNotFound
        There is none such.
    NotAVersion
        What the tag points to is no version that this nb2prod can read.
    """
    repository = Repository(root)
    entries = _entries(repository, reference.pipeline)
    if not entries:
        raise _no_pipeline(repository, reference.pipeline)
    for entry in entries:
        if reference.number in (None, entry.number):
            return _load(repository, entry)
    raise VersionNotFound(
        f"There is no {reference}; {entries[0].reference} is the newest version of"
        f" {reference.pipeline}."
    )


def version_notebook(version: Version) -> Notebook:
    """Return a version as a notebook, without outputs: what runs, and what people open.

    Its pictures are attachments again, so that it shows them wherever it lies.
    """
    notebook = embed_assets(from_script(version.script, name=version.pipeline), version.assets)
    manifest = version.manifest
    return Notebook(
        name=version.pipeline,
        cells=notebook.cells,
        kernel_name=manifest.kernel_name,
        kernel_display_name=manifest.kernel_display_name,
        language=manifest.language,
        metadata=notebook.metadata,
    )


def _manifest(notebook: Notebook, relative: Path, lock: EnvironmentLock) -> Manifest:
    ours: Any = notebook.metadata.get("nb2prod")
    said = ours if isinstance(ours, Mapping) else {}
    main, lower = said.get("main_metric"), said.get("lower_is_better")
    return Manifest(
        title=notebook.title,
        kernel_name=notebook.kernel_name,
        kernel_display_name=notebook.kernel_display_name,
        language=notebook.language,
        notebook=relative.as_posix(),
        directory=relative.parent.as_posix(),
        parameters=find_parameters(notebook).parameters,
        python=lock.python,
        lock_is_observed=lock.is_observed,
        main_metric=main if isinstance(main, str) and main else None,
        lower_is_better=lower if isinstance(lower, bool) and main else None,
    )


def _entries(repository: Repository, pipeline: str | None) -> tuple[VersionEntry, ...]:
    found = []
    for tag in repository.tags(f"{pipeline or '*'}/v*"):
        match = _VERSION_TAG.match(tag.name)
        if match is not None:
            found.append(
                VersionEntry(
                    pipeline=match["pipeline"],
                    number=int(match["number"]),
                    commit=tag.commit,
                    author=tag.author,
                    created_at=tag.created_at,
                )
            )
    # A tag of that form may be somebody's own; ours point to a commit with a manifest.
    paths = [f"{entry.commit}:{_manifest_path(entry.pipeline)}" for entry in found]
    ours = repository.existing(paths)
    versions = (entry for entry, path in zip(found, paths, strict=True) if path in ours)
    return tuple(sorted(versions, key=lambda entry: (entry.pipeline, -entry.number)))


def _newest(repository: Repository, pipeline: str) -> Version | None:
    entries = _entries(repository, pipeline)
    return _load(repository, entries[0]) if entries else None


def _load(repository: Repository, entry: VersionEntry) -> Version:
    folder = f"{PIPELINES_FOLDER}/{entry.pipeline}"
    contents = {
        path.removeprefix(f"{folder}/"): repository.read_file(entry.commit, path) or b""
        for path in repository.list_files(entry.commit, folder)
    }
    script = contents.pop(f"{entry.pipeline}.py", None)
    manifest_text = contents.pop(MANIFEST_FILE)
    lock_text = contents.pop(LOCK_FILE, b"")
    if script is None:
        raise NotAVersion(
            f"{entry.reference} has no script in {folder}; its tag was not made by"
            " `nb2prod promote`."
        )
    manifest = read_manifest(manifest_text.decode())
    return Version(
        pipeline=entry.pipeline,
        number=entry.number,
        commit=entry.commit,
        author=entry.author,
        created_at=entry.created_at,
        root=repository.root,
        script=script.decode(),
        manifest=manifest,
        lock=EnvironmentLock(
            text=lock_text.decode(),
            python=manifest.python,
            is_observed=manifest.lock_is_observed,
        ),
        assets=contents,
    )


def _files(version: Version) -> dict[str, bytes]:
    folder = f"{PIPELINES_FOLDER}/{version.pipeline}"
    return {
        _script_path(version.pipeline): version.script.encode(),
        f"{folder}/{MANIFEST_FILE}": write_manifest(version.manifest).encode(),
        f"{folder}/{LOCK_FILE}": version.lock.text.encode(),
        **{f"{folder}/{path}": content for path, content in version.assets.items()},
    }


def _script_path(pipeline: str) -> str:
    return f"{PIPELINES_FOLDER}/{pipeline}/{pipeline}.py"


def _manifest_path(pipeline: str) -> str:
    return f"{PIPELINES_FOLDER}/{pipeline}/{MANIFEST_FILE}"


def _origin(proposal: Proposal) -> str:
    return proposal.manifest.notebook if proposal.manifest else f"{proposal.notebook.name}.ipynb"


def _require_free_tag(repository: Repository, reference: Reference, cause: Exception) -> None:
    # A tag of somebody's own would lose us every race for its name.
    ours = {entry.tag for entry in _entries(repository, reference.pipeline)}
    others = {tag.name for tag in repository.tags(reference.pipeline)} - ours
    for name in (reference.pipeline, f"{reference.pipeline}/v{reference.number}"):
        if name in others:
            raise NameInvalid(
                f"{reference} can't be made: the repository has a tag {name!r} that is no version."
                " Give the pipeline another name with `--name`, or rename that tag."
            ) from cause


def _name_from(notebook_name: str) -> str:
    return check_pipeline_name(re.sub(r"[^A-Za-z0-9_-]+", "-", notebook_name).strip("-_"))


def _no_pipeline(repository: Repository, pipeline: str) -> PipelineNotFound:
    known = sorted({entry.pipeline for entry in _entries(repository, None)})
    hint = f"it has {', '.join(known)}" if known else "nothing has been promoted in it yet"
    return PipelineNotFound(f"There is no pipeline {pipeline!r} in {repository.root}; {hint}.")
