"""What the API takes and gives of tokens."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from nb2prod.server.api_models import FromDomain
from nb2prod.server.project_models import Asked
from nb2prod.workspace.tokens import DEFAULT_DAYS, MAX_DAYS, TITLE_LENGTH, ProjectToken


class NewToken(Asked):
    """A token to be made."""

    title: str = Field(
        max_length=4 * TITLE_LENGTH, description=f"What it is for: 1 to {TITLE_LENGTH} characters."
    )
    days: int = Field(
        DEFAULT_DAYS, strict=True, description=f"How long it is good for: 1 to {MAX_DAYS}."
    )


class TokenBody(FromDomain):
    """A token, without its secret."""

    id: str
    title: str
    person: str = Field(description="Who made it, and for whom its bearer acts.")
    created_at: datetime
    used_at: datetime | None = Field(description="Last use, to the minute; null if never.")
    expires_at: datetime
    has_expired: bool


class MadeToken(TokenBody):
    """A token that was just made: the only time that its secret is told."""

    token: str


class TokenList(BaseModel):
    """All tokens of a project that the reader may see, newest first."""

    items: list[TokenBody]
    total: int


def made_token(token: ProjectToken, secret: str) -> MadeToken:
    """Return a token that was just made."""
    return MadeToken(**TokenBody.model_validate(token).model_dump(), token=secret)


def token_list(tokens: tuple[ProjectToken, ...]) -> TokenList:
    """Return the tokens of a project."""
    return TokenList(items=[TokenBody.model_validate(token) for token in tokens], total=len(tokens))
