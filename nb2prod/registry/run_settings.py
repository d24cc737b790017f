"""What a notebook says of how its pipeline is run: ``metadata.nb2prod``, read strictly.

A person wrote it by hand, so what can't be used is said in a sentence, and is never left out in
silence: a time limit with a misspelled name would be no time limit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from nb2prod.errors import ParameterInvalid, SecretInvalid
from nb2prod.export.models import Finding
from nb2prod.notebook.parameter_values import read_value
from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.findings import finding
from nb2prod.registry.models import Network, Retry, RunSettings
from nb2prod.settings import RESOURCE_CLASS_NAME
from nb2prod.workspace.secret_rules import check_name

METADATA_KEY = "nb2prod"
MAX_TIMEOUT_S = 366 * 24 * 3600.0
MAX_RETRIES = 10
MAX_DELAY_S = 24 * 3600.0
MAX_NAMES = 50
RETRY_KINDS = ("lost", "kernel_died", "timed_out", "kernel_unavailable")

_METRIC_KEYS = frozenset({"main_metric", "lower_is_better"})
# What we write ourselves into a version that is opened, or that has run, as a notebook.
_OWN_KEYS = frozenset({"project", "root", "server", "pipeline", "version", "commit"})
_EXCEPTION_NAME = re.compile(r"[A-Z][A-Za-z0-9_]{0,99}\Z")

T = TypeVar("T")


class _Unusable(ValueError):
    """A value can't be used; the text says what it must be."""


def read_run_settings(
    metadata: Mapping[str, Any], parameters: Iterable[Parameter]
) -> tuple[RunSettings, tuple[Finding, ...]]:
    """Read how runs are to go from a notebook's metadata.

    Parameters
    ----------
    metadata
        Of the notebook as a whole.
    parameters
        Those of its parameters cell: a smoke run's values must be theirs.

    Returns
    -------
    RunSettings
        With the usual in place of what can't be used.
    tuple of Finding
        One for each thing that can't be used; each blocks.

    Examples
    --------
    >>> settings, findings = read_run_settings({"nb2prod": {"timeout_s": 60, "retries": 3}}, [])
    >>> settings.timeout_s, [finding.message for finding in findings]
    (60.0, ["The notebook's metadata has `nb2prod.retries`, which means nothing."])
    """
    said = metadata.get(METADATA_KEY, {})
    if not isinstance(said, Mapping):
        return RunSettings(), (_invalid(METADATA_KEY, "it must be an object"),)
    reader = _Reader(said, METADATA_KEY)
    usual = RunSettings()
    retry = _retry(reader)
    settings = RunSettings(
        resources=reader.read("resources", _resources, usual.resources),
        network=reader.read("network", _network, usual.network),
        timeout_s=reader.read("timeout_s", _seconds, usual.timeout_s),
        cell_timeout_s=reader.read("cell_timeout_s", _seconds, usual.cell_timeout_s),
        retry=retry,
        secrets=reader.read("secrets", _secrets, usual.secrets),
        inputs=reader.read("inputs", _inputs, usual.inputs),
        smoke=_smoke(reader, parameters),
    )
    reader.refuse_others(_METRIC_KEYS | _OWN_KEYS)
    return settings, tuple(reader.findings)


class _Reader:
    """Reads keys of an object one by one, and keeps what is wrong with them."""

    def __init__(self, said: Mapping[str, Any], path: str) -> None:
        self.findings: list[Finding] = []
        self.path = path
        self._said = said
        self._known: set[str] = set()

    def read(self, key: str, read: Callable[[Any], T], usual: T) -> T:
        """Return a key's value; the usual one where it says nothing, or nothing usable."""
        self._known.add(key)
        # JSON's null is no value, as for all of Jupyter's metadata.
        if self._said.get(key) is None:
            return usual
        try:
            return read(self._said[key])
        except _Unusable as error:
            self.findings.append(_invalid(f"{self.path}.{key}", str(error)))
            return usual

    def refuse_others(self, known: frozenset[str] = frozenset()) -> None:
        """Find fault with all keys that nobody has asked for."""
        for key in self._said:
            if key not in self._known | known:
                self.findings.append(
                    finding(
                        "run-setting-unknown",
                        f"The notebook's metadata has `{self.path}.{_shown(key)}`, which means"
                        " nothing.",
                    )
                )


def _retry(reader: _Reader) -> Retry:
    said = reader.read("retry", _object, None)
    if said is None:
        return Retry()
    inner = _Reader(said, f"{reader.path}.retry")
    usual = Retry()
    retry = Retry(
        limit=inner.read("limit", _limit, usual.limit),
        on=inner.read("on", _failures, usual.on),
        delay_s=inner.read("delay_s", _delay, usual.delay_s),
    )
    inner.refuse_others()
    if not inner.findings and not (retry.limit and retry.on):
        inner.findings.append(
            _invalid(inner.path, "it must say how often, `limit`, and after which failures, `on`")
        )
    reader.findings += inner.findings
    return Retry() if inner.findings else retry


def _smoke(reader: _Reader, parameters: Iterable[Parameter]) -> dict[str, Any]:
    said = reader.read("smoke", _object, None)
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, value in (said or {}).items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            message = f"`{reader.path}.smoke` names {_shown(name)}, no parameter of the notebook;"
            reader.findings.append(finding("smoke-value-invalid", f"{message} {has}."))
            continue
        try:
            values[name] = read_value(known[name], value)
        except ParameterInvalid as error:
            message = f"The smoke run's value can't be used. {error.message}"
            reader.findings.append(finding("smoke-value-invalid", message))
    return values


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unusable("it must be an object")
    return value


def _resources(value: Any) -> str:
    if not isinstance(value, str) or not RESOURCE_CLASS_NAME.match(value):
        raise _Unusable("it must be the name of a resource class, such as `standard`")
    return value


def _network(value: Any) -> Network:
    try:
        return Network(value)
    except ValueError as error:
        raise _Unusable("it must be `workspace` or `internet`") from error


def _seconds(value: Any) -> float:
    return _number(value, "a number of seconds above 0", MAX_TIMEOUT_S)


def _delay(value: Any) -> float:
    return _number(value, "a number of seconds above 0", MAX_DELAY_S)


def _number(value: Any, what: str, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Before anything else, as a whole number may be too large for a float.
    if not is_number or not 0 < value <= most or not math.isfinite(value):
        raise _Unusable(f"it must be {what}, and at most {most:.0f}")
    return float(value)


def _limit(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_RETRIES:
        raise _Unusable(f"it must be a whole number from 0 to {MAX_RETRIES}")
    return value


def _failures(value: Any) -> tuple[str, ...]:
    def check(name: str) -> None:
        if name not in RETRY_KINDS and not _EXCEPTION_NAME.match(name):
            raise _Unusable(
                f"{_shown(name)} is no failure: write {', '.join(RETRY_KINDS)}, or the class of an"
                " exception, such as ConnectionError"
            )

    return _names(value, check)


def _secrets(value: Any) -> tuple[str, ...]:
    def check(name: str) -> None:
        try:
            check_name(name)
        except SecretInvalid as error:
            raise _Unusable(error.message.rstrip(".")) from error

    return _names(value, check)


def _inputs(value: Any) -> tuple[str, ...]:
    def check(path: str) -> None:
        plain = PurePosixPath(path)
        is_text = path.isprintable() and "\\" not in path
        if not is_text or plain.is_absolute() or ".." in plain.parts or plain.as_posix() == ".":
            raise _Unusable(
                f"{_shown(path)} is no path inside of the project's folder, such as"
                " data/flights.parquet"
            )

    return tuple(PurePosixPath(path).as_posix() for path in _names(value, check))


def _names(value: Any, check: Callable[[str], None]) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and len(value) <= MAX_NAMES
    if not is_list or not all(isinstance(item, str) and item for item in value):
        raise _Unusable(f"it must be a list of at most {MAX_NAMES} texts")
    for item in value:
        check(item)
    if len(set(value)) < len(value):
        raise _Unusable("it names something twice")
    return tuple(value)


def _invalid(path: str, message: str) -> Finding:
    text = f"`{path}` in the notebook's metadata can't be used: {message}."
    return finding("run-setting-invalid", text)


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1] if not text.isprintable() else text[:60]
