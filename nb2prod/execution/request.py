"""What a worker is given: a folder with the request and the version, and nothing else."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nb2prod.errors import NotAVersion, storage_error
from nb2prod.execution.models import RunRecord
from nb2prod.execution.record_json import record_to_json
from nb2prod.execution.recorder import RunFolder, write_file, write_json
from nb2prod.registry.manifest import read_manifest, write_manifest
from nb2prod.registry.models import Version


def write_version(path: Path, version: Version) -> None:
    """Write a version as one JSON file; raises `StorageFull` or `StorageUnusable`."""
    file = _File(
        pipeline=version.pipeline,
        number=version.number,
        commit=version.commit,
        author=version.author,
        created_at=version.created_at,
        script=version.script,
        manifest=write_manifest(version.manifest),
        lock=version.lock.text,
        assets=_encoded(version.assets),
        modules=_encoded(version.modules),
    )
    write_file(path, file.model_dump_json(indent=1).encode())


def read_version(path: Path, *, repository: Path) -> Version:
    """Read what `write_version` wrote.

    Parameters
    ----------
    repository
        What the version says of where it is from.

    Raises
    ------
    NotAVersion
        The file is not there, or is none.
    """
    try:
        file = _File.model_validate_json(path.read_bytes())
        assets, modules = _decoded(file.assets), _decoded(file.modules)
    except (OSError, ValueError) as error:  # pydantic's and base64's are values' errors
        raise NotAVersion(f"{path} holds no version that could be run.") from error
    manifest = read_manifest(file.manifest)
    return Version(
        pipeline=file.pipeline,
        number=file.number,
        commit=file.commit,
        author=file.author,
        created_at=file.created_at,
        repository=repository,
        script=file.script,
        manifest=manifest,
        lock=manifest.lock(file.lock),
        assets=assets,
        modules=modules,
    )


def prepare_folder(folder: RunFolder, asked: RunRecord, version: Version) -> RunFolder:
    """Write down what a run consists of, and give its worker a copy; idempotent.

    The originals stay where the run can't reach them: what it consisted of is read from there.

    Returns
    -------
    RunFolder
        The one that the worker is given.

    Raises
    ------
    StorageFull, StorageUnusable
        The files can't be written.
    """
    work = folder.work
    try:
        folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(folder.request, record_to_json(asked))
        write_version(folder.version, version)
        work.path.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(folder.request, work.request)
        shutil.copyfile(folder.version, work.version)
    except OSError as error:
        raise storage_error(work.path, error) from error
    return work


def _encoded(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in contents.items()}


def _decoded(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(text) for name, text in texts.items()}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pipeline: str
    number: int
    commit: str
    author: str
    created_at: datetime
    script: str
    manifest: str
    lock: str
    assets: dict[str, str]
    # Of a run that was asked for before versions had any, there are none.
    modules: dict[str, str] = {}
