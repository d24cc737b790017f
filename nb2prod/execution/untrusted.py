"""Reading what a run wrote into its folder: as input of a stranger.

A notebook can write anything into the folder that its worker was given. Its files are opened by
`nb2prod.store.untrusted_folder`, no more of them is read than is sensible, and an event is taken
only if it has an event's form in every part that is used later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

from nb2prod.execution.events import (
    DisplayUpdated,
    Event,
    OutputAdded,
    WidgetChanged,
    decode,
)

# A line of an event log: an output of 30 MB has some.
MAX_LINE_BYTES = 32_000_000
# Deeper than any front end nests; Python's own JSON and copies fail beyond some hundreds.
MAX_DEPTH = 60

_SKIP_BYTES = 1 << 20


def read_lines(stream: IO[bytes], max_bytes: int) -> Iterator[bytes | None]:
    """Read a log line by line; what follows the last newline is left out.

    Parameters
    ----------
    max_bytes
        Where to stop, whatever the file's size.

    Yields
    ------
    bytes or None
        A line with its newline; `None` for one that is longer than `MAX_LINE_BYTES`.
    """
    left = max_bytes
    while left > 0:
        line = stream.readline(min(MAX_LINE_BYTES, left))
        left -= len(line)
        if line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n") and left > 0:
            line = stream.readline(min(_SKIP_BYTES, left))
            left -= len(line)
        if not line.endswith(b"\n"):
            return
        yield None


def read_event(line: bytes) -> Event | None:
    """Read an event that a stranger wrote; `None` for anything that has not its whole form."""
    try:
        event = decode(line)
        is_whole = (
            event.at.utcoffset() is not None and _is_shallow(event) and _is_well_formed(event)
        )
    # Nested too deeply for Python's reader; times that no calendar has.
    except (ValueError, RecursionError, OverflowError):
        return None
    return event if is_whole else None


def _is_well_formed(event: Event) -> bool:
    match event:
        case OutputAdded():
            return _is_output(event.output)
        case DisplayUpdated():
            return _is_bundle(event.data)
        case WidgetChanged():
            return all(isinstance(buffer.get("data"), str) for buffer in event.buffers)
        case _:
            return True


def _is_output(output: Mapping[str, Any]) -> bool:
    match output.get("output_type"):
        case "stream":
            return output.get("name") in {"stdout", "stderr"} and _is_text(output.get("text"))
        case "display_data" | "execute_result":
            return _is_bundle(output.get("data")) and isinstance(output.get("metadata"), Mapping)
        case "error":
            names = (output.get("ename"), output.get("evalue"))
            lines = output.get("traceback")
            return (
                all(isinstance(name, str) for name in names)
                and isinstance(lines, list)
                and all(isinstance(line, str) for line in lines)
            )
        case _:
            return False


def _is_bundle(bundle: object) -> bool:
    if not isinstance(bundle, Mapping):
        return False
    texts = (value for name, value in bundle.items() if name.startswith("text/"))
    return all(map(_is_text, texts))


def _is_text(text: object) -> bool:
    if isinstance(text, list):
        return all(isinstance(line, str) for line in text)
    return isinstance(text, str)


def _is_shallow(event: Event) -> bool:
    match event:
        case OutputAdded():
            parts: list[object] = [event.output]
        case DisplayUpdated():
            parts = [event.data, event.metadata]
        case WidgetChanged():
            parts = [event.state, *event.buffers]
        case _:
            return True
    for _ in range(MAX_DEPTH):
        parts = [inner for part in parts for inner in _inside(part)]
        if not parts:
            return True
    return False


def _inside(part: object) -> list[object]:
    if isinstance(part, Mapping):
        parts = list(part.values())
    elif isinstance(part, list | tuple):
        parts = list(part)
    else:
        return []
    return [inner for inner in parts if isinstance(inner, Mapping | list | tuple)]
