"""What the API takes and gives of proposals and versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from nb2prod.export.models import Severity
from nb2prod.notebook.parameter_types import Limit
from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.registry.diff import script_diff
from nb2prod.registry.models import Version
from nb2prod.registry.versions import Proposal, VersionEntry
from nb2prod.server.api_models import FromDomain
from nb2prod.server.project_models import Asked


class NewProposal(Asked):
    """A notebook to be checked."""

    path: str = Field(
        min_length=1,
        max_length=4096,
        description="Where it lies below the Jupyter root: project/… or private/….",
    )
    notebook: dict[str, Any] = Field(description="The notebook, in Jupyter's format.")
    name: str | None = Field(None, description="The pipeline's; by default the notebook's.")
    files: dict[str, Base64Bytes] | None = Field(
        None,
        max_length=2000,
        description="The project's own modules and what declares its environment, in base64 by"
        " path in the project's folder; by default the workspace reads them there.",
    )


class NewVersion(NewProposal):
    """A notebook to be promoted, as it was proposed."""

    digest: str = Field(max_length=200, description="That of the proposal that was read.")


class FindingBody(FromDomain):
    """One thing that the preflight found."""

    code: str
    severity: Severity
    message: str
    way_out: str
    cell: int | None
    line: int | None
    silenced_because: str | None = Field(
        default=None, description="The author's reason for which it does not count."
    )


class ParameterBody(FromDomain):
    """A parameter, with all that a form needs; a default is null where it is no finite number."""

    model_config = ConfigDict(from_attributes=True, ser_json_inf_nan="null")

    name: str
    type: ParameterType
    default: Any
    help: str
    choices: list[Any] = Field(description="Empty where any value will do.")
    is_optional: bool = Field(description="Whether null is allowed besides.")
    item_type: ParameterType | None = Field(description="Of a list's items.")
    minimum: Limit | None = Field(default=None, description="Dates as ISO 8601 text.")
    maximum: Limit | None = Field(default=None, description="Dates as ISO 8601 text.")


class ProposalBody(BaseModel):
    """What promotion would make; nothing has been changed yet."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    pipeline: str
    reference: str
    former: str | None = Field(description="The newest version; null for a pipeline's first.")
    is_unchanged: bool = Field(description="Whether the newest version has this content already.")
    is_blocked: bool = Field(description="Whether a finding makes promotion impossible.")
    digest: str = Field(description="Names this content; promotion asks for it.")
    findings: list[FindingBody]
    parameters: list[ParameterBody]
    script: str = Field(description="Empty where a finding blocks.")
    diff: str = Field(description="Unified, against the newest version's script.")


class VersionItem(BaseModel):
    """A version in a list."""

    pipeline: str
    number: int
    reference: str
    commit: str
    author: str
    created_at: datetime


class VersionList(BaseModel):
    """A part of a project's versions."""

    items: list[VersionItem]
    offset: int
    limit: int
    total: int


class VersionBody(VersionItem):
    """A version of a pipeline."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    title: str
    kernel_name: str
    language: str
    python: str
    notebook: str = Field(description="The notebook that it came from.")
    main_metric: str | None
    parameters: list[ParameterBody]
    script: str


def proposal_body(proposal: Proposal) -> ProposalBody:
    """Return a proposal."""
    return ProposalBody(
        pipeline=proposal.pipeline,
        reference=str(proposal.reference),
        former=str(proposal.former.reference) if proposal.former else None,
        is_unchanged=proposal.is_unchanged,
        is_blocked=proposal.is_blocked,
        digest=proposal.digest,
        findings=[FindingBody.model_validate(finding) for finding in proposal.findings],
        parameters=_parameters(proposal.parameters),
        script=proposal.script,
        diff=script_diff(proposal),
    )


def version_item(version: Version | VersionEntry) -> VersionItem:
    """Return a version as lists have it."""
    return VersionItem(
        pipeline=version.pipeline,
        number=version.number,
        reference=str(version.reference),
        commit=version.commit,
        author=version.author,
        created_at=version.created_at,
    )


def version_body(version: Version) -> VersionBody:
    """Return a version."""
    manifest = version.manifest
    return VersionBody(
        **version_item(version).model_dump(),
        title=manifest.title,
        kernel_name=manifest.kernel_name,
        language=manifest.language,
        python=manifest.python,
        notebook=manifest.notebook,
        main_metric=manifest.main_metric,
        parameters=_parameters(manifest.parameters),
        script=version.script,
    )


def _parameters(parameters: tuple[Parameter, ...]) -> list[ParameterBody]:
    return [ParameterBody.model_validate(parameter) for parameter in parameters]
