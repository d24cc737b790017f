"""What differs between two versions: script, parameters, packages."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.lock import read_pins
from nb2prod.registry.models import Version
from nb2prod.registry.versions import Proposal


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterChange:
    """A parameter that is new (``before`` is `None`), gone (``after`` is), or changed."""

    name: str
    before: Parameter | None
    after: Parameter | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package of another version, new (``before`` is `None`), or gone (``after`` is)."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class VersionDiff:
    """The difference from one version to another.

    Parameters
    ----------
    script
        As a unified diff; empty where the scripts are equal.
    """

    before: str
    after: str
    script: str
    parameters: tuple[ParameterChange, ...]
    packages: tuple[PackageChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether script, parameters and packages are the same."""
        return not (self.script or self.parameters or self.packages)


def compare_versions(before: Version, after: Version) -> VersionDiff:
    """Compare two versions; ``after`` need not be the newer one."""
    return VersionDiff(
        before=str(before.reference),
        after=str(after.reference),
        script=compare_scripts(
            before.script, after.script, str(before.reference), str(after.reference)
        ),
        parameters=_parameter_changes(before, after),
        packages=_package_changes(before, after),
    )


def compare_scripts(before: str, after: str, before_name: str, after_name: str) -> str:
    """Return a unified diff of two scripts; empty where they are equal."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), before_name, after_name, lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def script_diff(proposal: Proposal) -> str:
    """Return a unified diff from the former version's script to the proposed one.

    Empty for a pipeline's first version, where a finding blocks, and where they are equal.
    """
    if proposal.former is None or proposal.is_blocked:
        return ""
    former = proposal.former
    return compare_scripts(
        former.script, proposal.script, str(former.reference), str(proposal.reference)
    )


def _parameter_changes(before: Version, after: Version) -> tuple[ParameterChange, ...]:
    old = {item.name: item for item in before.manifest.parameters}
    new = {item.name: item for item in after.manifest.parameters}
    names = dict.fromkeys((*old, *new))
    return tuple(
        ParameterChange(name=name, before=old.get(name), after=new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    )


def _package_changes(before: Version, after: Version) -> tuple[PackageChange, ...]:
    old = {"python": before.lock.python, **read_pins(before.lock)}
    new = {"python": after.lock.python, **read_pins(after.lock)}
    return tuple(
        PackageChange(name=name, before=old.get(name), after=new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )
