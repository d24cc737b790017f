"""Versions as they lie in git: listed, read, and written back as files.

A version lies in ``pipelines/<name>/`` of the repository: the script, ``pipeline.toml``, the
environment lock, assets taken from markdown, and below ``modules/`` a copy of the project's own
modules. Its tag is ``<name>/v<N>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nb2prod.errors import InvalidInput, NotAVersion, PipelineNotFound, VersionNotFound
from nb2prod.export.assets import embed_assets
from nb2prod.export.notebook_script import notebook_of, script_name
from nb2prod.notebook.models import Notebook
from nb2prod.registry.manifest import LOCK_FILE, MANIFEST_FILE, read_manifest, write_manifest
from nb2prod.registry.models import EnvironmentLock, Manifest, Reference, Version
from nb2prod.store.git import Repository

PIPELINES_FOLDER = "pipelines"
MODULES_FOLDER = "modules"

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


def list_versions(repository: Path, pipeline: str | None = None) -> tuple[VersionEntry, ...]:
    """Return the versions in a repository, by pipeline, newest first.

    Parameters
    ----------
    repository
        A work tree or a bare repository.

    Raises
    ------
    PipelineNotFound
        A pipeline was named that has no version.
    """
    opened = Repository(repository)
    entries = version_entries(opened, pipeline)
    if pipeline is not None and not entries:
        raise _no_pipeline(opened, pipeline)
    return entries


def load_version(repository: Path, reference: Reference) -> Version:
    """Read a version from its tag; a reference without a number gives the newest.

    Raises
    ------
    PipelineNotFound, VersionNotFound
        There is none such.
    NotAVersion
        What the tag points to is no version that this nb2prod can read.
    """
    opened = Repository(repository)
    entries = version_entries(opened, reference.pipeline)
    if not entries:
        raise _no_pipeline(opened, reference.pipeline)
    for entry in entries:
        if reference.number in (None, entry.number):
            return _load(opened, entry)
    raise VersionNotFound(
        f"There is no {reference}; {entries[0].reference} is the newest version of"
        f" {reference.pipeline}."
    )


def version_notebook(version: Version) -> Notebook:
    """Return a version as a notebook, without outputs: what runs, and what people open.

    Its pictures are attachments again, so that it shows them wherever it lies.
    """
    notebook = embed_assets(notebook_of(version.script, name=version.pipeline), version.assets)
    manifest = version.manifest
    return Notebook(
        name=version.pipeline,
        cells=notebook.cells,
        kernel_name=manifest.kernel_name,
        kernel_display_name=manifest.kernel_display_name,
        language=manifest.language,
        metadata=notebook.metadata,
    )


def version_entries(repository: Repository, pipeline: str | None) -> tuple[VersionEntry, ...]:
    """Return the versions of a pipeline, or of all, newest first; none where there are none."""
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


def newest_version(repository: Repository, pipeline: str) -> Version | None:
    """Return a pipeline's newest version; `None` where it has none."""
    entries = version_entries(repository, pipeline)
    return _load(repository, entries[0]) if entries else None


def newest_locks(repository: Repository, pipeline: str) -> Iterator[EnvironmentLock]:
    """Give the locks of all pipelines' newest versions, that of one pipeline first."""
    newest = {entry.pipeline: entry for entry in reversed(version_entries(repository, None))}
    for entry in sorted(newest.values(), key=lambda entry: entry.pipeline != pipeline):
        manifest = repository.read_file(entry.commit, _manifest_path(entry.pipeline))
        text = repository.read_file(
            entry.commit, f"{PIPELINES_FOLDER}/{entry.pipeline}/{LOCK_FILE}"
        )
        if manifest is not None and text is not None:
            with suppress(NotAVersion):
                yield read_manifest(manifest.decode()).lock(text.decode())


def _load(repository: Repository, entry: VersionEntry) -> Version:
    folder = f"{PIPELINES_FOLDER}/{entry.pipeline}"
    contents = {
        path.removeprefix(f"{folder}/"): repository.read_file(entry.commit, path) or b""
        for path in repository.list_files(entry.commit, folder)
    }
    manifest = read_manifest(contents.pop(MANIFEST_FILE).decode())
    lock_text = contents.pop(LOCK_FILE, b"")
    script = contents.pop(_script_name(entry, manifest), None)
    if script is None:
        raise NotAVersion(
            f"{entry.reference} has no script in {folder}; its tag was not made by"
            " `nb2prod promote`."
        )
    modules = {
        module.path: contents.pop(module_path(module.path), b"") for module in manifest.modules
    }
    return Version(
        pipeline=entry.pipeline,
        number=entry.number,
        commit=entry.commit,
        author=entry.author,
        created_at=entry.created_at,
        repository=repository.root,
        script=script.decode(),
        manifest=manifest,
        lock=manifest.lock(lock_text.decode()),
        assets=contents,
        modules=modules,
    )


def version_files(version: Version) -> dict[str, bytes]:
    """Return a version as contents by path in the repository."""
    folder = f"{PIPELINES_FOLDER}/{version.pipeline}"
    return {
        script_path(version.pipeline, version.manifest.language): version.script.encode(),
        f"{folder}/{MANIFEST_FILE}": write_manifest(version.manifest).encode(),
        f"{folder}/{LOCK_FILE}": version.lock.text.encode(),
        **{f"{folder}/{path}": content for path, content in version.assets.items()},
        **{f"{folder}/{module_path(path)}": content for path, content in version.modules.items()},
    }


def script_path(pipeline: str, language: str) -> str:
    """Return where a pipeline's script is in the repository."""
    return f"{PIPELINES_FOLDER}/{pipeline}/{script_name(pipeline, language)}"


def module_path(path: str) -> str:
    """Return where a module of the project's own is in a pipeline's folder."""
    return f"{MODULES_FOLDER}/{path}"


def _script_name(entry: VersionEntry, manifest: Manifest) -> str:
    try:
        return script_name(entry.pipeline, manifest.language)
    except InvalidInput as error:
        raise NotAVersion(f"{entry.reference} can't be read: {error}") from error


def _manifest_path(pipeline: str) -> str:
    return f"{PIPELINES_FOLDER}/{pipeline}/{MANIFEST_FILE}"


def _no_pipeline(repository: Repository, pipeline: str) -> PipelineNotFound:
    known = sorted({entry.pipeline for entry in version_entries(repository, None)})
    hint = f"it has {', '.join(known)}" if known else "nothing has been promoted in it yet"
    name = repository.root.name.removesuffix(".git")
    return PipelineNotFound(f"There is no pipeline {pipeline!r} in {name}; {hint}.")
