"""What the API takes and gives of secrets: never a value back."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from nb2prod.server.api_models import FromDomain
from nb2prod.server.project_models import Asked
from nb2prod.workspace.secret_rules import MAX_BYTES, MIN_CHARACTERS
from nb2prod.workspace.secrets import SecretEntry


class SecretValue(Asked):
    """A secret's value, which nobody is shown again; runs that are started from now on get it."""

    value: str = Field(
        max_length=MAX_BYTES,
        repr=False,
        # Only said: who gives a shorter one is told the reason, not the number alone.
        json_schema_extra={"minLength": MIN_CHARACTERS},
        description=f"{MIN_CHARACTERS} characters to {MAX_BYTES} bytes, without NUL.",
    )


class SecretBody(FromDomain):
    """What is known of a secret: all but its value."""

    name: str = Field(description="Its environment variable in runs.")
    set_by: str
    set_at: datetime


class SecretList(BaseModel):
    """All secrets of a project, by name."""

    items: list[SecretBody]
    total: int


def secret_list(secrets: tuple[SecretEntry, ...]) -> SecretList:
    """Return the secrets of a project."""
    return SecretList(
        items=[SecretBody.model_validate(entry) for entry in secrets], total=len(secrets)
    )
