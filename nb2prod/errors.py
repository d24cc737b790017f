"""The errors of nb2prod, as one tree.

::

    Nb2prodError
    ├── InvalidInput             what the caller gave can't be used
    │   ├── NotebookUnreadable
    │   ├── NameInvalid
    │   ├── ReferenceInvalid
    │   ├── ParameterUnknown
    │   ├── ParameterInvalid
    │   ├── MagicRefused
    │   ├── NotAVersion
    │   ├── ResourcesUnknown
    │   ├── SweepInvalid
    │   ├── ScheduleInvalid
    │   ├── SecretInvalid
    │   └── SettingInvalid
    ├── NotFound                 absent, or not for this person: the same answer
    │   ├── RepositoryNotFound
    │   ├── ProjectNotFound
    │   ├── PipelineNotFound
    │   ├── VersionNotFound
    │   ├── RunNotFound
    │   ├── SweepNotFound
    │   ├── ScheduleNotFound
    │   ├── SecretNotFound
    │   ├── TokenNotFound
    │   ├── PageNotFound
    │   └── BlobNotFound
    ├── Conflict                 possible in itself, but not in this state
    │   ├── PreflightBlocked
    │   ├── ProjectExists
    │   ├── PromotionRaced
    │   ├── WorkInTheWay
    │   ├── ProposalStale
    │   └── RunEnded
    ├── NotSignedIn
    ├── RoleInsufficient         the person sees the project, but may not do this in it
    ├── RequestRefused           a browser was led to ask for something by somebody else
    │   ├── HostRefused
    │   └── CrossSiteRefused
    ├── RunUnsuccessful          the run came to an end that is not `succeeded`
    ├── LimitReached             one person asks for too much at once
    │   └── TooManyStreams
    └── Unavailable              the machine lacks something
        ├── ToolMissing
        ├── KernelUnavailable
        ├── PortTaken
        ├── EngineUnreachable
        ├── EngineRefused
        ├── ImageMissing
        ├── ExecutorMissing
        ├── ServiceUnreachable
        ├── StorageFull
        ├── StorageUnusable
        └── IdentityMissing

A leaf's ``code`` is stable and documented (docs/reference/errors.md); its message says what
happened, to which object, and what to do. Nothing here knows HTTP or exit statuses: each
shell has one mapper (``nb2prod.server.errors``, ``nb2prod.cli.errors``).
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar


class Nb2prodError(Exception):
    """Base of all errors that a person may be shown.

    Parameters
    ----------
    message
        One or two sentences: what happened, to which object, what to do.
    detail
        Facts for a program that handles the error; JSON-serialisable.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidInput(Nb2prodError):
    """What the caller gave can't be used."""

    code = "invalid_input"


class NotebookUnreadable(InvalidInput):
    """A file is no notebook that nbformat can read."""

    code = "notebook_unreadable"


class NameInvalid(InvalidInput):
    """A name of a project, pipeline or person breaks the rule for such names."""

    code = "name_invalid"


class ReferenceInvalid(InvalidInput):
    """A text such as ``train@v3`` or ``nb2prod://./train@v3`` can't be understood."""

    code = "reference_invalid"


class ParameterUnknown(InvalidInput):
    """A value was given for a parameter that the version does not have."""

    code = "parameter_unknown"


class ParameterInvalid(InvalidInput):
    """A parameter's value is not of its type, or not one of its choices."""

    code = "parameter_invalid"


class MagicRefused(InvalidInput):
    """A magic has no faithful translation to plain Python."""

    code = "magic_refused"


class NotAVersion(InvalidInput):
    """Something that is no promoted version was given to be run or recorded."""

    code = "not_a_version"


class ResourcesUnknown(InvalidInput):
    """A run would need a resource class that the workspace does not have."""

    code = "resources_unknown"


class SweepInvalid(InvalidInput):
    """What a sweep is to go through can't be understood, or is too much."""

    code = "sweep_invalid"


class ScheduleInvalid(InvalidInput):
    """A schedule's times, time zone or inputs can't be used."""

    code = "schedule_invalid"


class SecretInvalid(InvalidInput):
    """A secret's name or value breaks the rule for them."""

    code = "secret_invalid"


class SettingInvalid(InvalidInput):
    """An environment variable has a value that can't be used."""

    code = "setting_invalid"


class NotFound(Nb2prodError):
    """Absent, or not for this person: both get the same answer."""

    code = "not_found"


class RepositoryNotFound(NotFound):
    """A folder lies in no git repository."""

    code = "repository_not_found"


class ProjectNotFound(NotFound):
    """No such project."""

    code = "project_not_found"


class PipelineNotFound(NotFound):
    """No such pipeline in this project."""

    code = "pipeline_not_found"


class VersionNotFound(NotFound):
    """The pipeline has no such version."""

    code = "version_not_found"


class RunNotFound(NotFound):
    """No such run."""

    code = "run_not_found"


class SweepNotFound(NotFound):
    """There is no such sweep that the person may see."""

    code = "sweep_not_found"


class ScheduleNotFound(NotFound):
    """There is no such schedule that the person may see."""

    code = "schedule_not_found"


class SecretNotFound(NotFound):
    """The project has no secret of that name."""

    code = "secret_not_found"


class TokenNotFound(NotFound):
    """There is no such token of this person's."""

    code = "token_not_found"


class PageNotFound(NotFound):
    """No such page."""

    code = "page_not_found"


class BlobNotFound(NotFound):
    """No content of this hash is stored."""

    code = "blob_not_found"


class Conflict(Nb2prodError):
    """Possible in itself, but not in the present state."""

    code = "conflict"


class PreflightBlocked(Conflict):
    """The preflight found something that has to be mended before promotion."""

    code = "preflight_blocked"


class ProjectExists(Conflict):
    """A project of this name exists already."""

    code = "project_exists"


class PromotionRaced(Conflict):
    """Somebody else promoted, or committed, again and again at the same time."""

    code = "promotion_raced"


class WorkInTheWay(Conflict):
    """Files that a promotion would overwrite have edits that are not committed."""

    code = "work_in_the_way"


class ProposalStale(Conflict):
    """What would be promoted is no longer what was checked."""

    code = "proposal_stale"


class RunEnded(Conflict):
    """A run that has ended can't be changed."""

    code = "run_ended"


class NotSignedIn(Nb2prodError):
    """The request carries no valid sign-in."""

    code = "not_signed_in"


class RoleInsufficient(Nb2prodError):
    """A member asked for something that the member's role does not include."""

    code = "role_insufficient"


class RequestRefused(Nb2prodError):
    """A browser was led to ask for something by a page that is not ours."""

    code = "request_refused"


class HostRefused(RequestRefused):
    """The request names a host that the gallery does not answer for."""

    code = "host_refused"


class CrossSiteRefused(RequestRefused):
    """A request that acts, or reads by script, does not come from a page of ours."""

    code = "cross_site_refused"


class RunUnsuccessful(Nb2prodError):
    """A run came to an end that is not ``succeeded``; ``detail`` has its status."""

    code = "run_unsuccessful"


class LimitReached(Nb2prodError):
    """One person asks for more at once than there is room for."""

    code = "limit_reached"


class TooManyStreams(LimitReached):
    """A person follows too many runs at the same time."""

    code = "too_many_streams"


class Unavailable(Nb2prodError):
    """The machine lacks something that is needed."""

    code = "unavailable"


class ToolMissing(Unavailable):
    """A program is not installed."""

    code = "tool_missing"


class KernelUnavailable(Unavailable):
    """A kernel is not installed, or did not start."""

    code = "kernel_unavailable"


class PortTaken(Unavailable):
    """A port is used by another process."""

    code = "port_taken"


class EngineUnreachable(Unavailable):
    """The Docker engine does not answer."""

    code = "engine_unreachable"


class EngineRefused(Unavailable):
    """The Docker engine answers, but does not do what it is asked for."""

    code = "engine_refused"


class ImageMissing(Unavailable):
    """A container image is not on this machine."""

    code = "image_missing"


class ExecutorMissing(Unavailable):
    """There is no executor of the name by which the workspace is to run versions."""

    code = "executor_missing"


class ServiceUnreachable(Unavailable):
    """A part of the workspace (the service, the hub, MLflow) does not answer."""

    code = "service_unreachable"


class StorageFull(Unavailable):
    """No space is left on a device."""

    code = "storage_full"


class StorageUnusable(Unavailable):
    """The database or a folder can't be read or written."""

    code = "storage_unusable"


def storage_error(place: object, error: OSError) -> StorageFull | StorageUnusable:
    """Return what to raise where writing to a place failed."""
    if error.errno == errno.ENOSPC:
        return StorageFull(f"No space is left for {place}. Free some space.")
    return StorageUnusable(f"{place} can't be written: {error.strerror or error}.")


class IdentityMissing(Unavailable):
    """Git does not know who the author of a commit is."""

    code = "identity_missing"
