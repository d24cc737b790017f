"""A page while it is being made: its contents, its anchors, and where they are found."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Mapping
from html import escape
from urllib.parse import unquote

from nb2prod.errors import BlobNotFound
from nb2prod.execution.models import Artifact, RunRecord
from nb2prod.knowledge.images import EXTENSIONS, SVG_TYPE, Picture, is_svg
from nb2prod.knowledge.models import PageBlob
from nb2prod.knowledge.text import one_line
from nb2prod.store.blobs import BlobStore

log = logging.getLogger(__name__)

# What a browser saves and never shows.
FILE_TYPE = "application/octet-stream"

_MAX_SVG_BYTES = 10_000_000
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,60}/[a-z0-9][a-z0-9.+_-]{0,100}\Z")
_PICTURE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}


class Draft:
    """What the cells of a page share while they are rendered.

    A content that has been kept under one media type never gets another one: what our own
    renderer has checked goes before what a run said of its files.
    """

    def __init__(self, record: RunRecord, store: BlobStore) -> None:
        self.record = record
        self._store = store
        self._blobs: dict[str, PageBlob] = {}
        self._anchors: dict[str, int] = {}

    @property
    def blobs(self) -> tuple[PageBlob, ...]:
        """All contents of the page, each once."""
        return tuple(self._blobs.values())

    def keep(self, content: bytes, media_type: str, name: str) -> PageBlob:
        """Store a content that belongs to the page."""
        blob = self._store.put_bytes(content)
        return self._add(blob.sha256, media_type, name, blob.size_bytes)

    def keep_picture(self, picture: Picture, name: str) -> PageBlob:
        """Store a picture; ``name`` is without an extension."""
        return self.keep(picture.content, picture.media_type, name + EXTENSIONS[picture.media_type])

    def keep_sources(self, names: Mapping[str, tuple[str, str]]) -> None:
        """Add what the record says is stored: source's name → file name, media type."""
        for source, sha256 in self.record.sources.items():
            file_name, media_type = names.get(source) or (source, _type_by_name(source))
            try:
                with self._store.open(sha256) as stream:
                    size = stream.seek(0, 2)
            except BlobNotFound:
                log.warning("Source not stored, run=%s source=%s", self.record.id, source)
                continue
            self._add(sha256, self._checked(sha256, media_type, size), file_name, size)

    def keep_artifacts(self) -> None:
        """Add what the run left."""
        for artifact in self.record.artifacts:
            self._add_artifact(artifact, artifact.media_type)

    def find_picture(self, path: str) -> PageBlob | None:
        """Return a picture beside the notebook that the run left."""
        name = unquote(path).removeprefix("./")
        media_type = _type_by_name(name)
        if not media_type.startswith("image/"):
            return None
        artifact = next((item for item in self.record.artifacts if item.name == name), None)
        blob = self._add_artifact(artifact, media_type) if artifact else None
        return blob if blob and blob.media_type.startswith("image/") else None

    def address(self, blob: PageBlob) -> str:
        """Return a content's address relative to the page's, which ends with the run's id."""
        return escape(f"{self.record.id}/blobs/{blob.sha256}")

    def new_anchor(self, text: str) -> str:
        """Return an id for a heading that nothing else on the page has."""
        base = anchor_of(text)
        anchor, number = base, self._anchors.get(base, 1)
        while anchor in self._anchors:
            number += 1
            anchor = f"{base}-{number}"
        self._anchors[base] = number
        self._anchors.setdefault(anchor, 1)
        return anchor

    def _add_artifact(self, artifact: Artifact, media_type: str) -> PageBlob:
        media_type = self._checked(artifact.sha256, media_type, artifact.size_bytes)
        return self._add(artifact.sha256, media_type, artifact.name, artifact.size_bytes)

    def _checked(self, sha256: str, media_type: str, size_bytes: int) -> str:
        """Return the media type of a run's file; an SVG that may not be shown is only a file."""
        if SVG_TYPE not in media_type.lower():
            return media_type
        if size_bytes > _MAX_SVG_BYTES or not self._store.has(sha256):
            return FILE_TYPE
        text = self._store.get(sha256).decode(errors="replace")
        return SVG_TYPE if is_svg(text) else FILE_TYPE

    def _add(self, sha256: str, media_type: str, name: str, size_bytes: int) -> PageBlob:
        kind = media_type.strip().lower()
        blob = PageBlob(
            sha256=sha256,
            media_type=kind if _MEDIA_TYPE.match(kind) else FILE_TYPE,
            name=one_line(name, 200) or "file",
            size_bytes=size_bytes,
        )
        return self._blobs.setdefault(sha256, blob)


def anchor_of(text: str) -> str:
    """Return the id of a heading; the prefix keeps it apart from everything that is ours.

    >>> anchor_of("The Results, in short!")
    'h-the-results-in-short'
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())
    return f"h-{'-'.join(words) or 'heading'}"[:80].rstrip("-")


def _type_by_name(name: str) -> str:
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return _PICTURE_TYPES.get(suffix, FILE_TYPE)
