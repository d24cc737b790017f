"""``pipeline.toml``: all of a version that is not code, as text and back.

The file is written by promotion and read from git, where anybody may have edited it: so it is
read strictly, and what it lacks or has too much is said by name.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nb2prod.errors import NotAVersion
from nb2prod.notebook.parameter_types import Limit
from nb2prod.notebook.parameters import Parameter, ParameterType
from nb2prod.registry.models import Manifest, Network, OwnModule, Retry, RunSettings
from nb2prod.settings import DEFAULT_RESOURCES

MANIFEST_FILE = "pipeline.toml"
LOCK_FILE = "requirements.lock"

_HEADER = "# Written by `nb2prod promote`; it says how the script beside it is run.\n"


def write_manifest(manifest: Manifest) -> str:
    """Return the text of a manifest; the same manifest gives the same text."""
    tables: dict[str, Any] = {
        "title": manifest.title,
        "kernel": {
            "name": manifest.kernel_name,
            "display_name": manifest.kernel_display_name,
            "language": manifest.language,
        },
        "source": {"notebook": manifest.notebook, "directory": manifest.directory},
        "environment": _environment_table(manifest),
    }
    if manifest.main_metric is not None:
        metrics: dict[str, Any] = {"main": manifest.main_metric}
        if manifest.lower_is_better is not None:
            metrics["lower_is_better"] = manifest.lower_is_better
        tables["metrics"] = metrics
    tables |= _run_tables(manifest.run)
    if manifest.parameters:
        tables["parameters"] = {item.name: _parameter_table(item) for item in manifest.parameters}
    if manifest.modules:
        tables["modules"] = {
            item.path: {"source": item.source, "sha256": item.sha256} for item in manifest.modules
        }
    return _HEADER + tomli_w.dumps(tables)


def read_manifest(text: str) -> Manifest:
    """Read a manifest.

    Raises
    ------
    NotAVersion
        It is no TOML, or lacks something, or has something unknown; the message says what.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise NotAVersion(f"{MANIFEST_FILE} can't be read: {_first_fault(error)}.") from error
    return Manifest(
        title=file.title,
        kernel_name=file.kernel.name,
        kernel_display_name=file.kernel.display_name,
        language=file.kernel.language,
        notebook=file.source.notebook,
        directory=file.source.directory,
        parameters=tuple(item.to_parameter(name) for name, item in file.parameters.items()),
        python=file.environment.python,
        lock_is_observed=file.environment.is_observed,
        main_metric=file.metrics.main,
        lower_is_better=file.metrics.lower_is_better,
        run=RunSettings(
            resources=file.run.resources,
            network=file.run.network,
            timeout_s=file.run.timeout_s,
            cell_timeout_s=file.run.cell_timeout_s,
            retry=Retry(limit=file.retry.limit, on=file.retry.on, delay_s=file.retry.delay_s),
            secrets=file.run.secrets,
            inputs=file.run.inputs,
            smoke={**file.smoke, **json.loads(file.smoke_json)},
        ),
        declared_in=file.environment.declared_in,
        declaration=file.environment.declaration,
        modules=tuple(
            OwnModule(path=path, source=item.source, sha256=item.sha256)
            for path, item in file.modules.items()
        ),
    )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Kernel(_Strict):
    name: str
    display_name: str
    language: str


class _Source(_Strict):
    notebook: str
    directory: str


class _Environment(_Strict):
    python: str
    lock: str
    is_observed: bool
    declared_in: str = ""
    declaration: str = ""


class _Module(_Strict):
    source: str
    sha256: str


class _Metrics(_Strict):
    main: str | None = None
    lower_is_better: bool | None = None


class _Run(_Strict):
    resources: str = DEFAULT_RESOURCES
    network: Network = Network.WORKSPACE
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    secrets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


class _Retry(_Strict):
    limit: int
    on: tuple[str, ...]
    delay_s: float


class _Parameter(_Strict):
    type: ParameterType
    default: Any = None
    default_json: str | None = None
    help: str = ""
    choices: tuple[Any, ...] = ()
    is_optional: bool = False
    item_type: ParameterType | None = None
    minimum: Limit | None = None
    maximum: Limit | None = None

    def to_parameter(self, name: str) -> Parameter:
        return Parameter(
            name=name,
            type=self.type,
            default=self.default if self.default_json is None else json.loads(self.default_json),
            help=self.help,
            choices=self.choices,
            is_optional=self.is_optional,
            item_type=self.item_type,
            minimum=self.minimum,
            maximum=self.maximum,
        )


class _File(_Strict):
    title: str
    kernel: _Kernel
    source: _Source
    environment: _Environment
    metrics: _Metrics = Field(default_factory=_Metrics)
    run: _Run = Field(default_factory=_Run)
    retry: _Retry = Field(default_factory=lambda: _Retry(**asdict(Retry())))
    smoke: dict[str, Any] = Field(default_factory=dict)
    smoke_json: str = "{}"
    parameters: dict[str, _Parameter] = Field(default_factory=dict)
    modules: dict[str, _Module] = Field(default_factory=dict)


def _environment_table(manifest: Manifest) -> dict[str, Any]:
    table: dict[str, Any] = {
        "python": manifest.python,
        "lock": LOCK_FILE,
        "is_observed": manifest.lock_is_observed,
    }
    if manifest.declared_in:
        table |= {"declared_in": manifest.declared_in, "declaration": manifest.declaration}
    return table


def _run_tables(settings: RunSettings) -> dict[str, Any]:
    """Return what differs from the usual: an old manifest stays as it is."""
    usual = RunSettings()
    names = ("resources", "network", "timeout_s", "cell_timeout_s", "secrets", "inputs")
    run = {
        name: value
        for name in names
        if (value := getattr(settings, name)) != getattr(usual, name) and value is not None
    }
    tables: dict[str, Any] = {}
    smoke_json = {name: value for name, value in settings.smoke.items() if _is_no_toml(value)}
    if smoke_json:
        # A plain value before all tables.
        tables["smoke_json"] = json.dumps(smoke_json)
    if run:
        tables["run"] = run
    if settings.retry != usual.retry:
        tables["retry"] = asdict(settings.retry)
    smoke = {name: value for name, value in settings.smoke.items() if name not in smoke_json}
    if smoke:
        tables["smoke"] = smoke
    return tables


def _is_no_toml(value: object) -> bool:
    return value is None or _has_null(value)


def _parameter_table(parameter: Parameter) -> dict[str, Any]:
    # TOML has no null: what is absent is None or empty, and a list with None in it is JSON.
    table: dict[str, Any] = {"type": parameter.type.value}
    if _has_null(parameter.default):
        table["default_json"] = json.dumps(parameter.default)
    elif parameter.default is not None:
        table["default"] = parameter.default
    if parameter.help:
        table["help"] = parameter.help
    if parameter.choices:
        table["choices"] = list(parameter.choices)
    if parameter.is_optional:
        table["is_optional"] = True
    if parameter.item_type is not None:
        table["item_type"] = parameter.item_type.value
    limits = {"minimum": parameter.minimum, "maximum": parameter.maximum}
    table |= {name: limit for name, limit in limits.items() if limit is not None}
    return table


def _has_null(value: object) -> bool:
    if isinstance(value, list):
        return any(item is None or _has_null(item) for item in value)
    if isinstance(value, dict):
        return any(item is None or _has_null(item) for item in value.values())
    return False


def _first_fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return str(error)
