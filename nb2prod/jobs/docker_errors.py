"""What docker-py raises, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nb2prod.errors import EngineRefused, EngineUnreachable, ImageMissing


@contextmanager
def asking(
    what: str,
    *,
    image: str | None = None,
    ignores_missing: bool = False,
    ignores_conflict: bool = False,
) -> Iterator[None]:
    """Turn docker-py's errors into ours.

    Parameters
    ----------
    what
        What the engine is asked for, after "could not".
    image
        The image that is needed, where one is.
    ignores_missing, ignores_conflict
        Whether it is well where the object is not there, or not in the state for it.

    Raises
    ------
    ImageMissing
        The image is not on this machine.
    EngineRefused
        The engine answers, and does not do it.
    EngineUnreachable
        It does not answer.
    """
    import requests
    from docker.errors import APIError, DockerException, ImageNotFound, NotFound

    try:
        yield
    except NotFound as error:
        is_image = isinstance(error, ImageNotFound) or "No such image" in str(error)
        if image is not None and is_image:
            raise ImageMissing(
                f"The image {image} is not on this machine. Make it with `make images`, or load"
                " it with `docker load`; nothing is pulled."
            ) from error
        if not ignores_missing:
            raise _refused(what, error) from error
    except APIError as error:
        if not (ignores_conflict and error.status_code == requests.codes.conflict):
            raise _refused(what, error) from error
    except (DockerException, requests.exceptions.RequestException, OSError) as error:
        raise EngineUnreachable(
            f"The Docker engine does not answer ({_first_line(error)}). Start it, or see whether"
            " this account may use it (`docker info`); `MODE=process` works without."
        ) from error


def _refused(what: str, error: Any) -> EngineRefused:
    words = str(error.explanation or error).strip()
    hint = ""
    if "failed to mount local volume" in words:
        hint = (
            " A run's own layer over the project's folder takes an engine that works as root, and"
            " a workspace (NB2PROD_HOME) on ext4, XFS or btrfs: no network file system, no overlay."
        )
    if "no available IPv4 addresses" in words:
        hint = " The project's network is full: stop servers of it that nobody uses."
    return EngineRefused(f"The Docker engine could not {what}: {words}.{hint}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
