"""What a run leaves, as artifacts: stored contents with a name and a kind."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nb2prod.execution.contents import Contents
from nb2prod.execution.lineage import Lineage
from nb2prod.execution.models import Artifact, ArtifactKind, FileAccess, FileUse
from nb2prod.execution.redaction import Redactor
from nb2prod.execution.tracking import TrackedFile

# Of one, of all of a run together, and their number.
MAX_ARTIFACT_BYTES = 100_000_000
MAX_ARTIFACTS_BYTES = 2_000_000_000
MAX_ARTIFACTS = 2000

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


class Allowance:
    """What a run may still leave; what may not be kept is remembered by name.

    Parameters
    ----------
    redactor
        Knows the secrets that no artifact may hold.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._left_bytes = MAX_ARTIFACTS_BYTES
        self._left = MAX_ARTIFACTS
        self.left_out: list[str] = []
        self.with_secrets: list[str] = []

    def is_clean(self, name: str, content: bytes) -> bool:
        """Tell whether a content holds no secret."""
        mark = self._redactor.name_in(content)
        if mark is not None:
            self.with_secrets.append(f"{name} {mark}")
        return mark is None

    def has_room(self, name: str, size_bytes: int) -> bool:
        """Tell whether a content finds room, and take that room."""
        if size_bytes > min(MAX_ARTIFACT_BYTES, self._left_bytes) or self._left == 0:
            self.left_out.append(name)
            return False
        self._left_bytes -= size_bytes
        self._left -= 1
        return True


def keep_written(
    contents: Contents, lineage: Lineage, files: Iterable[FileUse], allowance: Allowance
) -> Iterator[Artifact]:
    """Keep the files that a run wrote, as they are now, and give them as artifacts.

    Left out are those that are gone, find no room, or hold a secret.
    """
    for use in files:
        if use.access is not FileAccess.WRITTEN or use.sha256 is None:
            continue
        descriptor = lineage.open_file(use.path)
        if descriptor is None:
            continue
        with os.fdopen(descriptor, "rb") as stream:
            if allowance.has_room(use.path, os.fstat(stream.fileno()).st_size):
                content = stream.read(MAX_ARTIFACT_BYTES)
                if allowance.is_clean(use.path, content):
                    yield artifact_of(contents, use.path, content)


def keep_tracked(
    contents: Contents, files: Iterable[TrackedFile], allowance: Allowance
) -> Iterator[Artifact]:
    """Keep what a run logged in MLflow, and give it as artifacts; see `keep_written`."""
    for file in files:
        if not allowance.has_room(file.name, file.path.stat().st_size):
            continue
        content = file.path.read_bytes()
        if allowance.is_clean(file.name, content):
            yield artifact_of(contents, file.name, content, is_model=file.is_model)


def distinct(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Return the artifacts without those whose content an earlier one has."""
    by_content: dict[str, Artifact] = {}
    for artifact in artifacts:
        by_content.setdefault(artifact.sha256, artifact)
    return tuple(by_content.values())


def artifact_of(
    contents: Contents, name: str, content: bytes, *, is_model: bool = False
) -> Artifact:
    """Keep a content, and return it as an artifact of this name."""
    blob = contents.put_bytes(content)
    return Artifact(
        name=name,
        kind=ArtifactKind.MODEL if is_model else kind_of(name),
        media_type=media_type_of(name),
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
    )
