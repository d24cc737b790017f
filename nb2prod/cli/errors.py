"""From an error to an exit status; the one mapper of this shell."""

from __future__ import annotations

from nb2prod.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    Nb2prodError,
    NotFound,
    NotSignedIn,
    RoleInsufficient,
    Unavailable,
)

EXIT_RUN_UNSUCCESSFUL = 1
EXIT_INTERRUPTED = 130

_STATUS_BY_KIND: tuple[tuple[type[Nb2prodError], int], ...] = (
    (InvalidInput, 2),
    (NotFound, 3),
    (NotSignedIn, 3),
    (RoleInsufficient, 3),
    (Conflict, 4),
    (LimitReached, 5),
    (Unavailable, 5),
)


def exit_status(error: Nb2prodError) -> int:
    """Return the exit status for an error; documented in docs/reference/cli.md.

    >>> from nb2prod.errors import VersionNotFound
    >>> exit_status(VersionNotFound("There is no train@v9."))
    3
    """
    for kind, status in _STATUS_BY_KIND:
        if isinstance(error, kind):
            return status
    return EXIT_RUN_UNSUCCESSFUL
