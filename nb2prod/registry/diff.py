"""What differs between two versions: cells, parameters, settings, packages, own modules."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import Any

from nb2prod.notebook.parameters import Parameter
from nb2prod.registry.cell_diff import CellDiff, compare_cells
from nb2prod.registry.lock import installed
from nb2prod.registry.models import Version
from nb2prod.registry.stored import version_notebook
from nb2prod.registry.versions import Proposal


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterChange:
    """A parameter that is new (``before`` is `None`), gone (``after`` is), or changed."""

    name: str
    before: Parameter | None
    after: Parameter | None

    @property
    def texts(self) -> tuple[str, str]:
        """What to show of both sides: type, limits, default; the help where only that changed."""
        old, new = _declared(self.before), _declared(self.after)
        if old == new and self.before is not None and self.after is not None:
            return f"{old}  # {self.before.help}", f"{new}  # {self.after.help}"
        return old, new


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageChange:
    """A package of another version, new (``before`` is `None`), or gone (``after`` is)."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingChange:
    """Something that the manifest says otherwise; `None` where it says nothing."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleChange:
    """A module of the project's own that differs; ``diff`` is empty for one that is no text."""

    path: str
    is_new: bool
    is_gone: bool
    diff: str


@dataclass(frozen=True, kw_only=True)
class VersionDiff:
    """The difference from one version to another.

    Parameters
    ----------
    script
        As a unified diff; empty where the scripts are equal.
    cells
        Of the notebooks that the scripts are, as their author wrote them.
    settings
        How runs go, and what `Manifest` says besides.
    modules
        The project's own, by their path: as a unified diff.
    """

    before: str
    after: str
    script: str
    cells: CellDiff
    parameters: tuple[ParameterChange, ...]
    settings: tuple[SettingChange, ...]
    packages: tuple[PackageChange, ...]
    modules: tuple[ModuleChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all differs."""
        return not (
            self.script
            or self.cells.changes
            or self.parameters
            or self.settings
            or self.packages
            or self.modules
        )


def compare_versions(before: Version, after: Version) -> VersionDiff:
    """Compare two versions; ``after`` need not be the newer one."""
    return VersionDiff(
        before=str(before.reference),
        after=str(after.reference),
        script=compare_scripts(
            before.script, after.script, str(before.reference), str(after.reference)
        ),
        cells=compare_cells(version_notebook(before).cells, version_notebook(after).cells),
        parameters=_parameter_changes(before, after),
        settings=_setting_changes(before, after),
        packages=_package_changes(before, after),
        modules=_module_changes(before, after),
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


def _declared(parameter: Parameter | None) -> str:
    if parameter is None:
        return "absent"
    kind = f"{parameter.type_text} {parameter.range_text}".rstrip()
    return f"{kind} = {parameter.default_text}"


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
    old, new = installed(before.lock), installed(after.lock)
    return tuple(
        PackageChange(name=name, before=old.get(name), after=new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _setting_changes(before: Version, after: Version) -> tuple[SettingChange, ...]:
    old, new = _settings(before), _settings(after)
    return tuple(
        SettingChange(name=name, before=old.get(name), after=new.get(name))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def _settings(version: Version) -> dict[str, Any]:
    # Cells, parameters, packages and modules are compared for themselves.
    elsewhere = {"title", "parameters", "python", "modules", "declaration", "run"}
    manifest = asdict(version.manifest)
    plain = {name: value for name, value in manifest.items() if name not in elsewhere}
    return {**plain, **manifest["run"]}


def _module_changes(before: Version, after: Version) -> tuple[ModuleChange, ...]:
    old, new = before.modules, after.modules
    return tuple(
        ModuleChange(
            path=path,
            is_new=path not in old,
            is_gone=path not in new,
            diff=_text_diff(old.get(path, b""), new.get(path, b""), path),
        )
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    )


def _text_diff(before: bytes, after: bytes, path: str) -> str:
    try:
        return compare_scripts(before.decode(), after.decode(), path, path)
    except UnicodeDecodeError:
        return ""
