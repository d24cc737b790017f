"""What a kernel's process itself says, outside of any cell: through a pipe into the run's folder.

It goes through a thread of ours, so that no secret is written down first and taken out later.
"""

from __future__ import annotations

import codecs
import logging
import os
import threading
from pathlib import Path
from typing import TextIO

from nb2prod.execution.redaction import Redactor, StreamRedactor

log = logging.getLogger(__name__)

_PIECE_BYTES = 65_536
# What a process that has just died had said is read within that.
REST_TIMEOUT_S = 2.0


class KernelLog:
    """Writes what comes through a pipe to a file, without secrets.

    Parameters
    ----------
    path
        The file; what it has already is kept.
    """

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self._path = path
        self._redactor = redactor
        self._thread: threading.Thread | None = None

    def open(self) -> int:
        """Begin; return the descriptor that the process writes to, for `started` to close.

        Raises
        ------
        OSError
            The file can't be written.
        """
        stream = self._path.open("a", encoding="utf-8")
        source, target = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(
            target=self._pump, args=(source, stream), name="nb2prod-kernel-log", daemon=True
        )
        self._thread.start()
        return target

    def settle(self) -> None:
        """Wait a little until all is written that an ended process had said."""
        if self._thread is not None:
            self._thread.join(REST_TIMEOUT_S)

    def last_words(self, lines: int) -> str:
        """Return the last lines."""
        try:
            text = self._path.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def _pump(self, source: int, stream: TextIO) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        redactor = StreamRedactor(self._redactor)
        is_written = True
        with os.fdopen(source, "rb", buffering=0) as pipe, stream:
            while piece := pipe.read(_PIECE_BYTES):
                is_written = is_written and _write(stream, redactor.feed(decoder.decode(piece)))
            if is_written:
                _write(stream, redactor.feed(decoder.decode(b"", final=True)) + redactor.flush())


def _write(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # The process must not be stopped by a pipe that nobody reads; so it is read on.
        log.warning("A kernel's log can't be written, reason=%s", error)
        return False
    return True
