"""Server-sent events as they come over the line; the WHATWG HTML Living Standard, section 9.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """An event that a server has sent.

    Parameters
    ----------
    id
        The last one that was given, by this event or one before it.
    """

    name: str
    data: str
    id: str


def read_messages(lines: Iterable[str]) -> Iterator[Message]:
    """Give the events that lines make; what is cut off before its end is none.

    >>> list(read_messages(["id: 1.7", "event: note", "data: {}", ""]))
    [Message(name='note', data='{}', id='1.7')]
    """
    name, last_id = "", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Message(name=name or "message", data="\n".join(data), id=last_id)
            name = ""
            data = []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        # A comment has no name before its colon.
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
