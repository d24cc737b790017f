"""A version and what it consists of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from nb2prod.errors import NameInvalid, ReferenceInvalid
from nb2prod.notebook.parameters import Parameter
from nb2prod.settings import DEFAULT_RESOURCES

PIPELINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}\Z")
_REFERENCE = re.compile(r"(?P<pipeline>[^@/\s]+)(@v(?P<number>[1-9][0-9]*))?\Z")


@dataclass(frozen=True, slots=True)
class Reference:
    """A version as people write it: ``train@v3``; ``train`` is the newest.

    Parameters
    ----------
    number
        `None` stands for the newest.
    """

    pipeline: str
    number: int | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read ``train`` or ``train@v3``; raises `ReferenceInvalid`.

        >>> Reference.parse("train@v3")
        Reference(pipeline='train', number=3)
        """
        match = _REFERENCE.match(text)
        if match is None:
            raise ReferenceInvalid(
                f"{text!r} is no version. Write a pipeline's name, as in `train`, or a version,"
                " as in `train@v3`; `nb2prod versions` lists them."
            )
        number = match["number"]
        return cls(check_pipeline_name(match["pipeline"]), int(number) if number else None)

    def __str__(self) -> str:
        return self.pipeline if self.number is None else f"{self.pipeline}@v{self.number}"


def check_pipeline_name(name: str) -> str:
    """Return the name if it is one for a pipeline; else raise `NameInvalid`."""
    if not PIPELINE_NAME.match(name):
        raise NameInvalid(
            f"{name!r} is no name for a pipeline: use 1 to 60 letters, digits, hyphens and"
            " underscores, beginning with a letter or digit. Give one with `--name`."
        )
    return name


@dataclass(frozen=True, kw_only=True)
class EnvironmentLock:
    """The packages that a version runs with, pinned.

    Parameters
    ----------
    text
        A requirements file, sorted, one ``name==version`` a line; with hashes, and perhaps
        markers, where it was locked from what the project declares.
    python
        Version of the interpreter, such as ``3.11.7``; empty where it is another language's, whose
        name and version then are the first line of the text: ``R==4.2.2``.
    is_observed
        True where this is what happened to be installed, not what the project declares.
    declared_in
        The file that declares it, relative to the project's folder; empty for an observed one.
    declaration
        sha256 of what is declared, by which an unchanged declaration is known; or empty.
    """

    text: str
    python: str
    is_observed: bool
    declared_in: str = ""
    declaration: str = ""

    @property
    def interpreter(self) -> str:
        r"""The interpreter as people name it.

        >>> EnvironmentLock(text="R==4.2.2\nrepr==1.1.6", python="", is_observed=True).interpreter
        'R 4.2.2'
        """
        first = self.text.partition("\n")[0]
        return f"Python {self.python}" if self.python else first.replace("==", " ")

    @property
    def sha256(self) -> str:
        """Hash over Python's version and the pins."""
        import hashlib

        return hashlib.sha256(f"python=={self.python}\n{self.text}".encode()).hexdigest()


class Network(StrEnum):
    """What a run in a container may reach."""

    WORKSPACE = "workspace"
    INTERNET = "internet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """Which failures of a run are tried again.

    Parameters
    ----------
    limit
        How often, at most; 0 is never.
    on
        Names: ``lost`` (the worker vanished without a word), ``kernel_died``, ``timed_out``,
        ``kernel_unavailable`` (no kernel answered), or the class of an exception that a cell
        raised, such as ``ConnectionError``.
    delay_s
        Seconds until the first new attempt; each further one waits twice as long.
    """

    limit: int = 0
    on: tuple[str, ...] = ()
    delay_s: float = 10.0


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How runs of a version go; promotion takes it from the notebook's metadata.

    Parameters
    ----------
    resources
        Name of a resource class.
    network
        The service and MLflow only, or the internet as well.
    timeout_s, cell_timeout_s
        Seconds that all cells together, or one, may take; `None` is without end.
    secrets
        Names of the project's secrets that runs are given as environment variables.
    inputs
        Files and folders under the project's that the pipeline reads; a schedule may watch them.
    smoke
        Values for parameters in a smoke run: small, and with sample data.
    """

    resources: str = DEFAULT_RESOURCES
    network: Network = Network.WORKSPACE
    timeout_s: float | None = None
    cell_timeout_s: float | None = None
    retry: Retry = field(default_factory=Retry)
    secrets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    smoke: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnModule:
    """A file of the project's own code of which a version keeps a copy.

    Parameters
    ----------
    path
        Beneath the version's folder of modules, as Python finds it from there.
    source
        Where it lay in the project's folder.
    sha256
        Of its content.
    """

    path: str
    source: str
    sha256: str

    @classmethod
    def of(cls, path: str, source: str, content: bytes) -> OwnModule:
        """Describe a content."""
        import hashlib

        return cls(path=path, source=source, sha256=hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``pipeline.toml``: all of a version that is not code.

    Parameters
    ----------
    kernel_name
        Kernelspec that runs it.
    directory
        The working directory of its runs, relative to the project's folder (``.`` for the
        folder itself): that of the notebook, where it lies in the project's folder.
    main_metric
        Metric that stands on the card in the gallery; `None` where the notebook names none.
    lower_is_better
        For the main metric; `None` where nobody said.
    run
        How its runs go.
    declared_in, declaration
        As in `EnvironmentLock`.
    modules
        The project's own modules that it keeps.
    """

    title: str
    kernel_name: str
    kernel_display_name: str
    language: str
    notebook: str
    directory: str
    parameters: tuple[Parameter, ...]
    python: str
    lock_is_observed: bool
    main_metric: str | None = None
    lower_is_better: bool | None = None
    run: RunSettings = field(default_factory=RunSettings)
    declared_in: str = ""
    declaration: str = ""
    modules: tuple[OwnModule, ...] = ()

    def lock(self, text: str) -> EnvironmentLock:
        """Return the lock whose text lies beside it."""
        return EnvironmentLock(
            text=text,
            python=self.python,
            is_observed=self.lock_is_observed,
            declared_in=self.declared_in,
            declaration=self.declaration,
        )


@dataclass(frozen=True, kw_only=True)
class Version:
    """An immutable, numbered state of a pipeline, read from its tag.

    Parameters
    ----------
    repository
        The repository that it was read from: a work tree, or a bare one.
    script
        Source of ``<pipeline>.py``.
    assets
        Files taken from markdown cells: path relative to the pipeline's folder → content.
    modules
        The project's own modules, as they were: path beneath ``modules/`` → content.
    """

    pipeline: str
    number: int
    commit: str
    author: str
    created_at: datetime
    repository: Path
    script: str
    manifest: Manifest
    lock: EnvironmentLock
    assets: dict[str, bytes]
    modules: dict[str, bytes] = field(default_factory=dict)

    @property
    def reference(self) -> Reference:
        """This version as people write it."""
        return Reference(self.pipeline, self.number)

    def directory_in(self, root: Path) -> Path:
        """Return the working directory of its runs in a project's folder."""
        return root / self.manifest.directory
