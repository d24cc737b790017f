"""What serves a workspace says of itself, for commands in the same home, as long as it lives."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from nb2prod.errors import Conflict, StorageUnusable
from nb2prod.settings import Settings

ANNOUNCEMENT_FILE = "gallery.json"


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """Where a workspace's services are.

    Parameters
    ----------
    address
        What people open, without a slash at its end.
    has_login
        Whether a hub signs them in.
    mlflow_url
        MLflow's server, as seen from this machine; `None` where there is none.
    mlflow_store
        The store that it keeps runs in, without a password.
    """

    address: str
    has_login: bool = False
    mlflow_url: str | None = None
    mlflow_store: str | None = None


@contextmanager
def announced(settings: Settings, announcement: Announcement) -> Iterator[None]:
    """Make it known to commands where a workspace is served, as long as it is.

    Raises
    ------
    Conflict
        Something serves this workspace already.
    StorageUnusable
        The file that says so can't be written.
    """
    file = settings.home / ANNOUNCEMENT_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        stream = file.open("a+")
    except OSError as error:
        raise StorageUnusable(f"{file} can't be written: {error}.") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise runs_already(settings, find_announcement(settings)) from error
        except OSError as error:
            raise StorageUnusable(f"{file} can't be locked: {error}.") from error
        stream.truncate(0)
        stream.write(json.dumps(asdict(announcement)))
        stream.flush()
        yield


def find_announcement(settings: Settings) -> Announcement | None:
    """Return where this workspace is served; `None` if it is not."""
    file = settings.home / ANNOUNCEMENT_FILE
    try:
        with file.open() as stream:
            # Who serves holds this lock while it lives; a crash frees it.
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Announcement(**json.load(stream))
    except (FileNotFoundError, ValueError, TypeError):
        pass
    return None


def runs_already(settings: Settings, announcement: Announcement | None) -> Conflict:
    """Return what to raise where a workspace is to be served a second time."""
    where = f", at {announcement.address}" if announcement else ""
    return Conflict(
        f"The workspace in {settings.home} runs already{where}; `nb2prod open` opens it."
    )
