"""Logs of people's servers: kept when a server is gone, the last few of each."""

from __future__ import annotations

from pathlib import Path

GENERATIONS = 3
# Of a container's log, what is kept of its end.
KEPT_BYTES = 1_000_000
# What a person is shown of it where a start fails.
SHOWN_LINES = 12
SHOWN_BYTES = 4_000


def new_log(folder: Path, name: str) -> Path:
    """Return the file for a server's log, having moved the former ones on; none is there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(GENERATIONS - 1, 0, -1):
        former = _file(folder, name, number - 1)
        if former.exists():
            former.replace(_file(folder, name, number))
    return _file(folder, name, 0)


def last_lines(log: bytes) -> str:
    """Return the end of a log, as much as helps a person to see why a server did not start."""
    text = log[-SHOWN_BYTES:].decode("utf-8", "replace").rstrip()
    return "\n".join(text.splitlines()[-SHOWN_LINES:])


def read_end(file: Path, size_bytes: int = SHOWN_BYTES) -> bytes:
    """Return the end of a file; nothing if there is none."""
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - size_bytes))
            return stream.read()
    except OSError:
        return b""


def _file(folder: Path, name: str, number: int) -> Path:
    return folder / (f"{name}.log.{number}" if number else f"{name}.log")
