"""What a run leaves, as artifacts: stored contents with a name and a kind."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nb2prod.execution.lineage import Lineage
from nb2prod.execution.models import Artifact, ArtifactKind, FileAccess, FileUse
from nb2prod.execution.tracking import TrackedFile
from nb2prod.store.blobs import BlobStore

MAX_ARTIFACT_BYTES = 100_000_000

_TABLES = frozenset(
    {".csv", ".tsv", ".parquet", ".feather", ".arrow", ".orc", ".xlsx", ".xls", ".ods"}
)
_MODELS = frozenset(
    {
        ".bst",
        ".cbm",
        ".h5",
        ".joblib",
        ".keras",
        ".onnx",
        ".pickle",
        ".pkl",
        ".pt",
        ".pth",
        ".safetensors",
        ".ubj",
    }
)
# What Python's table lacks, in one version of it or another.
_MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".feather": "application/vnd.apache.arrow.file",
    ".arrow": "application/vnd.apache.arrow.file",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".md": "text/markdown",
    ".ipynb": "application/x-ipynb+json",
}


def media_type_of(name: str) -> str:
    """Return a file's media type by its name.

    >>> media_type_of("data/flights.parquet")
    'application/vnd.apache.parquet'
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _MEDIA_TYPES:
        return _MEDIA_TYPES[suffix]
    # Python's own table: that of the machine says other things on each.
    guessed, encoding = mimetypes.MimeTypes().guess_type(name.lower())
    is_known = guessed is not None and encoding is None and suffix not in _MODELS
    return guessed if is_known and guessed else "application/octet-stream"


def kind_of(name: str) -> ArtifactKind:
    """Return what a file is for a reader, by its name.

    >>> kind_of("models/net.pt")
    <ArtifactKind.MODEL: 'model'>
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _TABLES:
        return ArtifactKind.TABLE
    if suffix in _MODELS:
        return ArtifactKind.MODEL
    return ArtifactKind.FIGURE if media_type_of(name).startswith("image/") else ArtifactKind.FILE


def keep_written(
    blobs: BlobStore, lineage: Lineage, files: Iterable[FileUse]
) -> Iterator[Artifact]:
    """Store the files that a run wrote, as they are now, and give them as artifacts.

    Left out are those that are gone, or larger than `MAX_ARTIFACT_BYTES`.
    """
    for use in files:
        if use.access is not FileAccess.WRITTEN or use.sha256 is None:
            continue
        descriptor = lineage.open_file(use.path)
        if descriptor is None:
            continue
        with os.fdopen(descriptor, "rb") as stream:
            if os.fstat(stream.fileno()).st_size <= MAX_ARTIFACT_BYTES:
                yield _artifact(blobs, use.path, stream.read(), is_model=False)


def keep_tracked(blobs: BlobStore, files: Iterable[TrackedFile]) -> Iterator[Artifact]:
    """Store what a run logged in MLflow, and give it as artifacts; see `keep_written`."""
    for file in files:
        if file.path.stat().st_size <= MAX_ARTIFACT_BYTES:
            yield _artifact(blobs, file.name, file.path.read_bytes(), is_model=file.is_model)


def distinct(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Return the artifacts without those whose content an earlier one has."""
    by_content: dict[str, Artifact] = {}
    for artifact in artifacts:
        by_content.setdefault(artifact.sha256, artifact)
    return tuple(by_content.values())


def _artifact(blobs: BlobStore, name: str, content: bytes, *, is_model: bool) -> Artifact:
    blob = blobs.put_bytes(content)
    return Artifact(
        name=name,
        kind=ArtifactKind.MODEL if is_model else kind_of(name),
        media_type=media_type_of(name),
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
    )
