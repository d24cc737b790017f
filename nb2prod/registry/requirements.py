"""Requirements files: read as pip reads them, and written as a lock. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_HASH = re.compile(r"--hash[=\s]\s*(?P<hash>[a-z0-9]+:[0-9a-f]+)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(?P<name>--?[a-zA-Z][a-zA-Z-]*)[=\s]?\s*(?P<value>.*)\Z")
_FOLLOWED = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_EDITABLE = frozenset({"-e", "--editable"})
_LOCAL = re.compile(r"([.~/]|file:|[A-Za-z]:\\)|.*@\s*(file:|[./~])|[^@;#]*\.(whl|zip|tar\.gz)$")
_DEPTH = 10


class LineKind(StrEnum):
    """What a line of a requirements file is."""

    REQUIREMENT = "requirement"
    CONSTRAINT = "constraint"
    OPTION = "option"
    # A folder or file of this machine, or an editable install.
    LOCAL = "local"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementLine:
    """A line, without comment and hashes, and the hashes."""

    kind: LineKind
    text: str
    hashes: tuple[str, ...] = ()

    @property
    def is_pinned(self) -> bool:
        """Whether it allows one version, by its hashes."""
        return bool(self.hashes) and "==" in self.text and "*" not in self.text


def read_lines(
    text: str, *, path: str = "requirements.txt", read: Callable[[str], str | None] | None = None
) -> tuple[RequirementLine, ...]:
    r"""Read a requirements file with those that it refers to (``-r``, ``-c``).

    Parameters
    ----------
    path
        Its own path, with ``/``.
    read
        Gives the text of a file by its path; `None` for one that is not there.

    Examples
    --------
    >>> [(line.kind.value, line.text) for line in read_lines("six>=1  # old\n-e .\n-i https://x")]
    [('requirement', 'six>=1'), ('local', '-e .'), ('option', '-i https://x')]
    """
    return tuple(_lines(text, path, read or (lambda _: None), LineKind.REQUIREMENT, _DEPTH))


def requirement_name(text: str) -> str:
    """Return the normal form of the name in a requirement; empty where it is none.

    >>> requirement_name("Scikit_Learn[all]>=1.5 ; python_version > '3'")
    'scikit-learn'
    """
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return ""


def write_lock(lines: tuple[RequirementLine, ...]) -> str:
    """Return the text of a lock: one requirement after the other by name, with its hashes."""
    found = [line for line in lines if line.kind is LineKind.REQUIREMENT]
    found.sort(key=lambda line: (requirement_name(line.text), line.text))
    return "".join(f"{_written(line)}\n" for line in found)


def pins_of(text: str, *, python: str = "") -> dict[str, str]:
    r"""Return the version by the normal name of each package in a lock.

    Parameters
    ----------
    python
        Version of Python, for lines that are meant for some of them; empty takes all lines.

    Examples
    --------
    >>> pins_of("Six==1 \\\n  --hash=sha256:00\nidna==3 ; python_version < '3'", python="3.11.7")
    {'six': '1'}
    """
    pins: dict[str, str] = {}
    for line in read_lines(text):
        try:
            requirement = Requirement(line.text)
        except InvalidRequirement:
            continue
        exact = [item.version for item in requirement.specifier if item.operator in ("==", "===")]
        if exact and _is_meant(requirement, python):
            pins[canonicalize_name(requirement.name)] = exact[0]
    return pins


def _is_meant(requirement: Requirement, python: str) -> bool:
    if requirement.marker is None or not python:
        return True
    versions = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    try:
        return requirement.marker.evaluate({**versions, "extra": ""})
    except UndefinedEnvironmentName:
        return True


def _written(line: RequirementLine) -> str:
    return " \\\n".join([line.text, *(f"    --hash={digest}" for digest in sorted(line.hashes))])


def _lines(
    text: str,
    path: str,
    read: Callable[[str], str | None],
    kind: LineKind,
    depth: int,
) -> Iterator[RequirementLine]:
    for joined in re.sub(r"\\[ \t]*\r?\n", " ", text).splitlines():
        hashes = tuple(match["hash"] for match in _HASH.finditer(joined))
        line = " ".join(_COMMENT.sub("", _HASH.sub("", joined)).split())
        option = _OPTION.match(line)
        if not line:
            continue
        if option and option["name"] in _FOLLOWED:
            yield from _followed(option["name"], option["value"], path, read, kind, depth)
        elif (option and option["name"] in _EDITABLE) or (not option and _LOCAL.match(line)):
            yield RequirementLine(kind=LineKind.LOCAL, text=line)
        elif option:
            yield RequirementLine(kind=LineKind.OPTION, text=line)
        elif not requirement_name(line):
            yield RequirementLine(kind=LineKind.UNREADABLE, text=line)
        else:
            yield RequirementLine(kind=kind, text=line, hashes=hashes)


def _followed(
    option: str,
    value: str,
    path: str,
    read: Callable[[str], str | None],
    kind: LineKind,
    depth: int,
) -> Iterator[RequirementLine]:
    target = (PurePosixPath(path).parent / value.strip("\"'")).as_posix()
    text = read(target) if depth else None
    if text is None:
        yield RequirementLine(kind=LineKind.UNREADABLE, text=f"{option} {value}")
        return
    inner = LineKind.CONSTRAINT if _FOLLOWED[option] == "-c" else kind
    yield from _lines(text, target, read, inner, depth - 1)
