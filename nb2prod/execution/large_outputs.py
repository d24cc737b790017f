"""Outputs that are too large for a notebook: kept as files of their own, with a preview in place.

What a cell prints is written down as it comes, up to a size; from there on it goes into a file,
and what the notebook shows is the beginning and the end. A display with a part that is too large
shows the part's beginning. Neither keeps more in memory than one file may have.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from nb2prod.errors import storage_error
from nb2prod.execution.events import DisplayUpdated, OutputAdded, OutputKept, output_text
from nb2prod.execution.models import Artifact

# What a cell may print into the notebook, by stream; and how much of the end is shown after it.
STREAM_BYTES = 1_000_000
TAIL_CHARACTERS = 10_000
# A part of a display; the gallery shows none that is larger.
PART_BYTES = 10_000_000
PREVIEW_CHARACTERS = 2_000
# Of all such files of a run. A cell that prints for ever must not fill the disk.
ALL_FILES_BYTES = 500_000_000

_PICTURES = frozenset({"image/gif", "image/jpeg", "image/png"})

KeepFile = Callable[[str, bytes], Artifact]
"""Stores a content under a name; raises `StorageFull` or `StorageUnusable`."""

_SUFFIXES = {
    "application/json": ".json",
    "image/gif": ".gif",
    "image/jpeg": ".jpeg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "text/html": ".html",
    "text/latex": ".tex",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputSizes:
    """How large an output may be before it goes into a file; see the constants of the module."""

    stream_bytes: int = STREAM_BYTES
    tail_characters: int = TAIL_CHARACTERS
    part_bytes: int = PART_BYTES
    file_bytes: int = 100_000_000
    all_files_bytes: int = ALL_FILES_BYTES


@dataclass
class _Stream:
    """What a cell has printed to one stream, since it last cleared its outputs."""

    event: OutputAdded
    name: str
    head: list[str] = field(default_factory=list)
    size_bytes: int = 0
    file: IO[bytes] | None = None
    kept_bytes: int = 0
    lost_bytes: int = 0
    tail: str = ""


class LargeOutputs:
    """Takes the outputs of a run, cell by cell, and gives what is to be written down of them.

    Parameters
    ----------
    folder
        Where a file lies while it grows.
    keep
        Stores what has become of it; `None` where nothing can be stored.
    """

    def __init__(self, folder: Path, keep: KeepFile | None, sizes: OutputSizes) -> None:
        self._folder = folder
        self._keep = keep
        self._sizes = sizes
        self._left_bytes = sizes.all_files_bytes
        self._count = 0
        self._streams: dict[tuple[int, str], _Stream] = {}

    def printed(self, event: OutputAdded, text: str) -> Iterator[OutputAdded]:
        """Take a piece of a stream; give what of it stands in the notebook."""
        key = (event.number, str(event.output["name"]))
        stream = self._streams.get(key)
        if stream is None:
            stream = _Stream(event, self._name(f"cell-{event.number}", key[1], ".txt"))
            self._streams[key] = stream
        content = text.encode("utf-8", "replace")
        room = self._sizes.stream_bytes - stream.size_bytes
        stream.event = event
        stream.size_bytes += len(content)
        if stream.file is None and len(content) <= room:
            stream.head.append(text)
            yield event
            return
        if stream.file is None:
            self._open(stream)
            shown = content[:room].decode("utf-8", "ignore")
            text = text[len(shown) :]
            if shown:
                yield with_text(event, shown)
        self._write(stream, content)
        stream.tail = (stream.tail + text)[-self._sizes.tail_characters :]

    def added(self, event: OutputAdded) -> Iterator[OutputKept | OutputAdded]:
        """Take a display; give it with its large parts in files, after what says where they are."""
        kept, data = self._split(event.output.get("data"), f"cell-{event.number}")
        for artifact in kept:
            yield OutputKept(at=event.at, number=event.number, artifact=artifact)
        yield event if data is None else replace(event, output={**event.output, "data": data})

    def updated(self, event: DisplayUpdated) -> Iterator[OutputKept | DisplayUpdated]:
        """Take the update of a display; see `added`."""
        kept, data = self._split(event.data, "update")
        for artifact in kept:
            yield OutputKept(at=event.at, number=None, artifact=artifact)
        yield event if data is None else replace(event, data=data)

    def cleared(self, number: int) -> None:
        """Forget what a cell has printed: it has cleared its outputs."""
        for key in [key for key in self._streams if key[0] == number]:
            self._close(self._streams.pop(key))

    def ended(self) -> Iterator[OutputKept | OutputAdded]:
        """Give the end of what the cells so far have printed, and where all of it is."""
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            content = self._close(stream)
            if content is None:
                continue
            artifact = self._kept(stream.name, content)
            if artifact is not None:
                yield OutputKept(at=stream.event.at, number=stream.event.number, artifact=artifact)
            yield with_text(stream.event, self._end_of(stream, artifact))

    def _split(self, data: object, place: str) -> tuple[list[Artifact], dict[str, Any] | None]:
        """Keep the large parts of a display; return the files, and what is shown instead.

        That is `None` where no part is large.
        """
        parts = data if isinstance(data, Mapping) else {}
        texts = {kind: _text(kind, part) for kind, part in parts.items()}
        large = {kind: text for kind, text in texts.items() if len(text) > self._sizes.part_bytes}
        if not large:
            return [], None
        kept, said = [], []
        for kind, text in large.items():
            content, preview = _content(kind, text)
            artifact = self._kept(self._name(place, kind, _SUFFIXES.get(kind, ".bin")), content)
            kept += [artifact] if artifact else []
            where = f"in {artifact.name}" if artifact else "too large to be kept"
            said += [f"[{_size(len(content))} of {kind}: {where}]", preview]
        shown = {kind: part for kind, part in parts.items() if kind not in large}
        plain = texts["text/plain"] if "text/plain" in shown else ""
        shown["text/plain"] = "\n".join(filter(None, [*said, plain]))
        return kept, shown

    def _end_of(self, stream: _Stream, artifact: Artifact | None) -> str:
        where = "it is not kept" if artifact is None else f"in {artifact.name}"
        lost = f", the first {_size(stream.kept_bytes)} of it" if stream.lost_bytes else ""
        mark = f"\n[… {_size(stream.size_bytes)} in all: {where}{lost} …]\n"
        return mark + stream.tail

    def _open(self, stream: _Stream) -> None:
        path = self._folder / Path(stream.name).name
        try:
            self._folder.mkdir(exist_ok=True)
            stream.file = path.open("w+b", buffering=0)
        except OSError as error:
            raise storage_error(path, error) from error
        for text in stream.head:
            self._write(stream, text.encode("utf-8", "replace"))
        stream.head.clear()

    def _write(self, stream: _Stream, content: bytes) -> None:
        assert stream.file is not None
        room = min(self._sizes.file_bytes, self._left_bytes) - stream.kept_bytes
        taken = content[: max(0, room)]
        stream.lost_bytes += len(content) - len(taken)
        stream.kept_bytes += len(taken)
        rest = memoryview(taken)
        try:
            while rest:
                rest = rest[stream.file.write(rest) or 0 :]
        except OSError as error:
            raise storage_error(self._folder / stream.name, error) from error

    def _close(self, stream: _Stream) -> bytes | None:
        """Close a stream's file, remove it, and return what it had; `None` where it has none."""
        if stream.file is None:
            return None
        with stream.file:
            stream.file.seek(0)
            content = stream.file.read()
        (self._folder / Path(stream.name).name).unlink(missing_ok=True)
        return content

    def _kept(self, name: str, content: bytes) -> Artifact | None:
        room = min(self._sizes.file_bytes, self._left_bytes)
        if self._keep is None or not content or len(content) > room:
            return None
        self._left_bytes -= len(content)
        return self._keep(name, content)

    def _name(self, place: str, kind: str, suffix: str) -> str:
        self._count += 1
        word = kind.rpartition("/")[2].partition("+")[0].partition(".")[0]
        return f"outputs/{place}-{word}-{self._count}{suffix}"


def with_text(event: OutputAdded, text: str) -> OutputAdded:
    """Return a piece of a stream with another text."""
    return replace(event, output={**event.output, "text": text})


def _text(kind: str, part: object) -> str:
    """Return a part of a display as the text of a file; a notebook has most texts in lines."""
    is_lines = isinstance(part, list) and all(isinstance(line, str) for line in part)
    if isinstance(part, str) or (is_lines and not kind.endswith("json")):
        return output_text({"data": {"text/plain": part}})
    return json.dumps(part, ensure_ascii=False)


def _content(kind: str, text: str) -> tuple[bytes, str]:
    """Return what a file of a part holds, and what of it can be read."""
    if kind in _PICTURES:
        try:
            return base64.b64decode("".join(text.split()), validate=True), ""
        except binascii.Error:
            pass
    return text.encode("utf-8", "replace"), text[:PREVIEW_CHARACTERS]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.3g} MB"
