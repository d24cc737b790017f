"""The form with which a version is run: one typed field for each parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nb2prod.errors import InvalidInput, Nb2prodError, ParameterInvalid
from nb2prod.execution import runs
from nb2prod.execution.models import Profile, RunRecord, RunRequest
from nb2prod.notebook.parameter_types import FieldKind
from nb2prod.notebook.parameter_values import read_value
from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.registry.models import Reference, Version, check_pipeline_name
from nb2prod.registry.versions import list_versions, load_version
from nb2prod.server.gallery import Reader
from nb2prod.server.presentation import value as shown
from nb2prod.workspace.projects import Project, Role, require_role
from nb2prod.workspace.workspace import Workspace

Kind = Literal["check", "choice", "choices", "lines"] | FieldKind

# Where a choice may also be none of those that are offered.
NONE = "none"
MAX_NUMBER = 1_000_000
# A browser's field for a date with its time has neither a zone nor more than seconds.
_PICKABLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One of the values of a choice; ``key`` is what the form sends for it."""

    key: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class FormField:
    """A parameter in the form.

    Parameters
    ----------
    name
        Of the field; of one with several boxes, what their names begin with.
    text
        What stands in it.
    is_checked
        Whether a box is ticked.
    is_none
        Whether a text is to be none at all, which an empty one is not.
    error
        Why what was typed can't be used; empty where it can.
    """

    parameter: Parameter
    name: str
    kind: Kind
    text: str = ""
    options: tuple[Option, ...] = ()
    is_checked: bool = False
    is_none: bool = False
    error: str = ""

    @property
    def has_none_box(self) -> bool:
        """Whether it has a box for none at all; elsewhere an empty field says it."""
        is_text = self.parameter.row.is_text and not self.options
        return self.parameter.is_optional and is_text

    @property
    def placeholder(self) -> str:
        """What an empty field shows of how a value is written; empty where nothing is special."""
        is_special = self.kind == "text" and self.parameter.row.field != "text"
        return self.parameter.row.placeholder if is_special else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunAsked:
    """What the address of the form says: a version, and the run that it is to be like.

    Parameters
    ----------
    like
        Id of a run whose values stand in the form.
    profile
        `None` for that run's.
    """

    like: str | None = None
    pipeline: str | None = None
    version: int | None = None
    profile: Profile | None = None


@dataclass(frozen=True, kw_only=True)
class RunForm:
    """What the form's page shows.

    Parameters
    ----------
    newest
        The number of the pipeline's newest version.
    error
        Why no run was made, where it is about no single field.
    """

    project: Project
    version: Version
    newest: int
    like: RunRecord | None
    profile: Profile
    fields: tuple[FormField, ...]
    error: Nb2prodError | None = None

    @property
    def has_smoke(self) -> bool:
        """Whether the version has small values of its own."""
        return bool(self.version.manifest.run.smoke)

    @property
    def is_refused(self) -> bool:
        """Whether it is shown again since something in it can't be used."""
        return self.error is not None or any(item.error for item in self.fields)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What was typed into the fields: the values that can be used, and what is wrong with others.

    Parameters
    ----------
    errors
        By name of the parameter.
    """

    values: dict[str, object] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def field_name(parameter: Parameter) -> str:
    """Return the name of a parameter's field; it can't meet that of another field of a form."""
    return f"value-{parameter.name}"


def compose_form(workspace: Workspace, reader: Reader, name: str, asked: RunAsked) -> RunForm:
    """Make the form as it is first shown.

    Raises
    ------
    ProjectNotFound, RoleInsufficient
        There is no such project, or the reader may not run anything in it.
    RunNotFound, PipelineNotFound, VersionNotFound
        There is no such run to be like, or no such version.
    InvalidInput
        It is not said what is to be run.
    """
    project = require_role(workspace, name, reader.person, Role.EDITOR)
    like = None
    if asked.like:
        like = runs.get_run(workspace, asked.like, person=reader.person)
        like = like if like.project == project.name else None
    version = _version(project, asked, like)
    profile = asked.profile or (like.profile if like else Profile.FULL)
    values = _first_values(version, like, profile)
    return RunForm(
        project=project,
        version=version,
        newest=_newest(project, version),
        like=like,
        profile=profile,
        fields=tuple(filled_field(item, values[item.name]) for item in version.manifest.parameters),
    )


def refused_form(
    workspace: Workspace,
    reader: Reader,
    name: str,
    fields: Mapping[str, str],
    *,
    error: Nb2prodError | None = None,
) -> RunForm:
    """Make the form with what was typed into it, and what is wrong with that; raises as above."""
    form = compose_form(workspace, reader, name, asked_from(fields))
    typed = read_typed(form.version.manifest.parameters, fields)
    return RunForm(
        project=form.project,
        version=form.version,
        newest=form.newest,
        like=form.like,
        profile=form.profile,
        fields=tuple(
            typed_field(item, fields, typed.errors.get(item.name, ""))
            for item in form.version.manifest.parameters
        ),
        error=error,
    )


def asked_from(fields: Mapping[str, str]) -> RunAsked:
    """Read what a form says of the version that it is for; raises `InvalidInput`."""
    number, profile = fields.get("version", ""), fields.get("profile", "")
    if number and not (number.isascii() and number.isdecimal() and len(number) < 8):
        raise InvalidInput(f"{number[:40]!r} is no version's number. Write one such as 3.")
    if profile and profile not in (Profile.FULL.value, Profile.SMOKE.value):
        raise InvalidInput(f"{profile[:40]!r} is no profile; choose full or smoke.")
    return RunAsked(
        like=fields.get("like") or None,
        pipeline=fields.get("pipeline") or None,
        version=int(number) if number else None,
        profile=Profile(profile) if profile else None,
    )


def request_from(
    workspace: Workspace,
    reader: Reader,
    name: str,
    fields: Mapping[str, str],
    executor: str,
) -> RunRecord | None:
    """Ask for the run that a form describes; `None` where a field can't be used.

    Raises
    ------
    ResourcesUnknown
        As `nb2prod.execution.runs.request_run` does; others as `compose_form`.
    """
    project = require_role(workspace, name, reader.person, Role.EDITOR)
    asked = asked_from(fields)
    version = _version(project, asked, None)
    typed = read_typed(version.manifest.parameters, fields)
    if typed.errors:
        return None
    request = RunRequest(
        by=reader.person,
        via=reader.via,
        executor=executor,
        profile=asked.profile or Profile.FULL,
    )
    return runs.request_run(workspace, project, version, typed.values, request=request)


def read_typed(parameters: Iterable[Parameter], fields: Mapping[str, str]) -> Typed:
    """Read what was typed for each parameter."""
    typed = Typed()
    for parameter in parameters:
        try:
            typed.values[parameter.name] = read_value(parameter, _given(parameter, fields))
        except ParameterInvalid as error:
            typed.errors[parameter.name] = error.message
    return typed


def kind_of(parameter: Parameter, current: object = None) -> Kind:
    """Return what kind of field a parameter has.

    >>> kind_of(Parameter("alpha", ParameterType.FLOAT, 0.2))
    'number'
    """
    if parameter.choices:
        return "choices" if parameter.type is ParameterType.LIST else "choice"
    texts = [text for text in (parameter.default, current) if isinstance(text, str) and text]
    kind = parameter.row.field
    if kind == "boolean" and not parameter.is_optional:
        return "check"
    if kind == "text" and any("\n" in text for text in texts):
        return "lines"
    if kind == "datetime" and not all(map(_PICKABLE.fullmatch, texts)):
        return "text"
    return kind


def _given(parameter: Parameter, fields: Mapping[str, str]) -> object:
    """Return what a form says of a parameter, as `read_value` takes it."""
    name = field_name(parameter)
    kind = kind_of(parameter)
    if kind == "choices":
        return [
            choice for index, choice in enumerate(parameter.choices) if f"{name}-{index}" in fields
        ]
    if kind == "check":
        return name in fields
    text = _text(fields, name)
    if kind == "choice":
        keys = {str(index): choice for index, choice in enumerate(parameter.choices)}
        is_none = text == NONE and parameter.is_optional
        return None if is_none else keys.get(text, text)
    is_none = f"{name}-none" in fields if parameter.row.is_text else text.strip() in ("", NONE)
    return None if parameter.is_optional and is_none else text


def filled_field(parameter: Parameter, value: object) -> FormField:
    """Return a field with a value in it."""
    kind = kind_of(parameter, value)
    chosen: set[str] = set()
    if kind == "choices" and isinstance(value, list):
        chosen = {str(place) for place, item in enumerate(parameter.choices) if item in value}
    elif kind == "choice" and value in parameter.choices:
        chosen = {str(parameter.choices.index(value))}
    elif kind == "boolean":
        chosen = {shown(value)}
    chosen = {NONE} if value is None and kind != "choices" else chosen
    return FormField(
        parameter=parameter,
        name=field_name(parameter),
        kind=kind,
        text="" if value is None else _written(value),
        options=tuple(_options(parameter, kind, chosen)),
        is_checked=value is True,
        is_none=value is None,
    )


def typed_field(parameter: Parameter, fields: Mapping[str, str], error: str = "") -> FormField:
    """Return a field with what was typed into it."""
    name = field_name(parameter)
    text = _text(fields, name)
    kind = kind_of(parameter, text)
    chosen = {text}
    if kind == "choices":
        places = map(str, range(len(parameter.choices)))
        chosen = {place for place in places if f"{name}-{place}" in fields}
    return FormField(
        parameter=parameter,
        name=name,
        kind=kind,
        text=text,
        options=tuple(_options(parameter, kind, chosen)),
        is_checked=kind == "check" and name in fields,
        is_none=f"{name}-none" in fields,
        error=error,
    )


def _text(fields: Mapping[str, str], name: str) -> str:
    # Browsers send line breaks as HTTP has them.
    return fields.get(name, "").replace("\r\n", "\n")


def _options(parameter: Parameter, kind: Kind, chosen: set[str]) -> Iterable[Option]:
    keyed: list[tuple[str, object]] = []
    if kind in ("choice", "choices"):
        keyed = [(str(place), choice) for place, choice in enumerate(parameter.choices)]
    elif kind == "boolean":
        keyed = [("true", True), ("false", False)]
    for key, item in keyed:
        yield Option(key=key, label=shown(item), is_chosen=key in chosen)
    if keyed and parameter.is_optional and kind != "choices":
        yield Option(key=NONE, label="none", is_chosen=NONE in chosen)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first_values(version: Version, like: RunRecord | None, profile: Profile) -> dict[str, Any]:
    """Return what stands in a new form: the other run's values, small ones over them, defaults."""
    is_same = like is not None and like.profile is profile
    # What a smoke run had is of no use to a full one.
    is_kept = like is not None and (is_same or like.profile is Profile.FULL)
    kept = like.parameters if like is not None and is_kept else {}
    small = version.manifest.run.smoke if profile is Profile.SMOKE and not is_same else {}
    given = {**kept, **small}
    values: dict[str, Any] = {}
    for parameter in version.manifest.parameters:
        try:
            value = read_value(parameter, given.get(parameter.name, parameter.default))
        except ParameterInvalid:
            # Another version had another type, or other choices.
            value = parameter.default
        values[parameter.name] = value
    return values


def _version(project: Project, asked: RunAsked, like: RunRecord | None) -> Version:
    pipeline, number = asked.pipeline, asked.version
    if like is not None:
        pipeline = pipeline or like.pipeline
        number = number or (like.version if pipeline == like.pipeline else None)
    if not pipeline:
        raise InvalidInput("The address does not say which pipeline is to be run.")
    if number is not None and not 0 < number <= MAX_NUMBER:
        raise InvalidInput(f"{number} is no version's number. Write one such as 3.")
    return load_version(project.repository, Reference(check_pipeline_name(pipeline), number))


def _newest(project: Project, version: Version) -> int:
    found = list_versions(project.repository, version.pipeline)
    return max((entry.number for entry in found), default=version.number)
