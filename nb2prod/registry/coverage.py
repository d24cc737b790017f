"""Whether a version's lock has what its code imports, in the version that is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nb2prod.export.models import Finding
from nb2prod.notebook.models import Notebook
from nb2prod.registry.findings import finding
from nb2prod.registry.imports import Import, cell_imports
from nb2prod.registry.local_modules import LocalModules
from nb2prod.registry.lock import ObservedEnvironment, read_pins
from nb2prod.registry.models import EnvironmentLock

# A Python kernel brings them itself, whatever a project declares.
_OF_THE_KERNEL = frozenset({"IPython", "ipykernel"})


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What code imports, held against the lock of its version.

    Parameters
    ----------
    knows_project
        Whether the project's own files could be looked at.
    """

    notebook: Notebook
    modules: LocalModules
    lock: EnvironmentLock
    observed: ObservedEnvironment
    knows_project: bool

    @cached_property
    def _pins(self) -> dict[str, str]:
        return read_pins(self.lock)

    @cached_property
    def _installed(self) -> dict[str, str]:
        return read_pins(self.observed.lock)

    def findings(self) -> Iterator[Finding]:
        """Give what is imported and not in the lock, and what is there in another version."""
        reported: set[str] = set()
        for cell, place, item in self._imports():
            top = item.top
            if item.is_optional or top in reported or self._is_covered(top):
                continue
            reported.add(top)
            yield self._not_covered(cell, place, item)
        if not self.lock.is_observed:
            yield from self._differences()

    def _imports(self) -> Iterator[tuple[int | None, str, Import]]:
        for cell in self.notebook.code_cells:
            for item in cell_imports(cell.source):
                if not item.level:
                    yield cell.number, "", item
        for path, item in self.modules.imports:
            yield None, path, item

    def _is_covered(self, top: str) -> bool:
        if top in sys.stdlib_module_names or top in self.modules.own or top in _OF_THE_KERNEL:
            return True
        if top in self.observed.modules:
            # From a local folder, of which another finding tells.
            return True
        given = self.observed.distributions.get(top, ())
        names = {canonicalize_name(name) for name in (top, *given)}
        return not names.isdisjoint(self._pins)

    def _not_covered(self, cell: int | None, place: str, item: Import) -> Finding:
        by = f", imported by {place}," if place else ""
        given = self.observed.distributions.get(item.top, ())
        if not self.knows_project and not given:
            code = "local-modules-not-kept"
            message = (
                f"`{item.top}`{by} is in no package of the lock. If it is a module of the project's"
                " own, the version has no copy of it: the project's files can't be read here."
            )
        elif given:
            code = "import-not-covered"
            message = (
                f"`{item.top}`{by} is installed with {' or '.join(given)}, which"
                f" {self.lock.declared_in} does not lead to."
            )
        else:
            code = "import-not-covered"
            message = (
                f"`{item.top}`{by} is in no package of the lock, and no module of the project's own"
                " that Python would find."
            )
        return finding(code, message, cell=cell, line=item.line if cell else None)

    def _differences(self) -> Iterator[Finding]:
        tops = {item.top for _, _, item in self._imports()}
        names = {
            canonicalize_name(name)
            for top in tops
            for name in self.observed.distributions.get(top, ())
        }
        differing = [
            f"{name} {self._installed[name]} (locked: {self._pins[name]})"
            for name in sorted(names)
            if name in self._pins
            and name in self._installed
            and not is_same_version(self._pins[name], self._installed[name])
        ]
        if differing:
            yield finding(
                "environment-differs",
                f"The kernel has other versions than {self.lock.declared_in} leads to:"
                f" {', '.join(differing)}.",
            )


def is_same_version(locked: str, installed: str) -> bool:
    """Whether an installed version is the one that is locked, builds of it included (PEP 440).

    >>> is_same_version("2.13.0", "2.13.0+cpu"), is_same_version("1.0", "1.0.0")
    (True, True)
    """
    try:
        wanted, found = Version(locked), Version(installed)
    except InvalidVersion:
        return locked == installed
    return wanted == found or (wanted.local is None and str(wanted.public) == found.public)
