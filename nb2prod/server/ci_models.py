"""What the API takes of CI: where in it something is asked for."""

from __future__ import annotations

from pydantic import Field

from nb2prod.execution.models import CiContext
from nb2prod.server.project_models import Asked


class NewCiContext(Asked):
    """Where in CI a run, or a sweep, is asked for; it stands on each run's page."""

    commit: str = Field("", max_length=64, pattern=r"^[0-9A-Za-z]*$")
    branch: str = Field("", max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")
    url: str = Field("", max_length=2000, pattern=r"^(https?://[!-~]+)?$")


def ci_context(asked: NewCiContext | None) -> CiContext | None:
    """Return it for a request; `None` where it is not CI that asks."""
    return None if asked is None else CiContext(**asked.model_dump())
