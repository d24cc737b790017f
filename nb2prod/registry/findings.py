"""What promotion itself finds, beside the preflight of the notebook."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from nb2prod.export.findings import FindingKind
from nb2prod.export.models import Finding, Severity
from nb2prod.registry.local_modules import LocalModules
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.models import Version

SHOWN_AT_MOST = 6

FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {
        "environment-observed": FindingKind(
            severity=Severity.NOTE,
            summary="The environment lock lists what happens to be installed; nothing declares it.",
            way_out="Keep this environment as it is while the version is in use.",
        ),
        "environment-not-locked": FindingKind(
            severity=Severity.WARNING,
            summary="The project declares its environment, and it could not be locked: the lock"
            " lists what happens to be installed.",
            way_out="Mend what the message says, and promote again.",
        ),
        "environment-differs": FindingKind(
            severity=Severity.WARNING,
            summary="A package that the notebook imports is installed in another version than in"
            " the lock, so what the notebook shows was made with others than its runs are to have.",
            way_out="Install what the project declares, or lock anew what is installed, and run the"
            " notebook again.",
        ),
        "import-not-covered": FindingKind(
            severity=Severity.WARNING,
            summary="Nothing in the environment lock brings a module that is imported.",
            way_out="Add the package to the project's dependencies, or put the import into"
            " `try: … except ImportError`.",
        ),
        "local-modules": FindingKind(
            severity=Severity.NOTE,
            summary="Modules of the project's own, which the notebook imports, become part of the"
            " version: its runs use this copy, whatever becomes of the files.",
            way_out="Promote again when they change.",
        ),
        "local-modules-not-kept": FindingKind(
            severity=Severity.WARNING,
            summary="A module of the project's own is imported, and the version keeps no copy: its"
            " runs use what lies in the project's folder on that day.",
            way_out="Do without `__file__` in it, as with a path that the notebook gives, or make"
            " an installed package of it.",
        ),
        "environment-local-package": FindingKind(
            severity=Severity.NOTE,
            summary="A package that the notebook imports was installed from a local folder, so"
            " the lock can't bring back the same code.",
            way_out="Install it from a release.",
        ),
        "head-detached": FindingKind(
            severity=Severity.WARNING,
            summary="The repository's HEAD is on no branch.",
            way_out="Go to a branch first, as in `git switch main`.",
        ),
        "pipeline-of-another-notebook": FindingKind(
            severity=Severity.WARNING,
            summary="The pipeline's newest version came from another notebook.",
            way_out="Give it a name of its own with `--name`, unless the notebook was moved.",
        ),
        "run-setting-unknown": FindingKind(
            severity=Severity.BLOCKING,
            summary="`nb2prod` in the notebook's metadata has a key that means nothing.",
            way_out="Mend its name, or delete it; docs/howto/pipelines.md lists those that there"
            " are.",
        ),
        "run-setting-invalid": FindingKind(
            severity=Severity.BLOCKING,
            summary="`nb2prod` in the notebook's metadata says something of its runs that can't be"
            " used.",
            way_out="Mend it in the notebook's metadata, or delete it.",
        ),
        "smoke-value-invalid": FindingKind(
            severity=Severity.BLOCKING,
            summary="A value for smoke runs is not one of the notebook's parameters'.",
            way_out="Mend `nb2prod.smoke` in the notebook's metadata.",
        ),
        "policy-invalid": FindingKind(
            severity=Severity.BLOCKING,
            summary="`[tool.nb2prod.findings]` in the project's pyproject.toml can't be used.",
            way_out="Mend it; docs/howto/check-notebooks.md says what it may hold.",
            is_fixed=True,
        ),
        "notebook-unreadable": FindingKind(
            severity=Severity.BLOCKING,
            summary="The file is no notebook. (`nb2prod check` alone says so as a finding.)",
            way_out="Give the path of a Jupyter notebook, and save it again with Jupyter.",
        ),
    }
)


def local_package_findings(
    environment: ObservedEnvironment, dependencies: Collection[str]
) -> Iterator[Finding]:
    """Say which imported packages a lock can't bring back.

    Parameters
    ----------
    dependencies
        The distributions, or modules, that the notebook imports.
    """
    local = sorted(
        name
        for name in environment.local
        if name in dependencies or name.replace("-", "_") in dependencies
    )
    if local:
        yield finding(
            "environment-local-package",
            f"Installed from a local folder, so that the lock can't bring back the same code:"
            f" {', '.join(local)}.",
        )


def module_findings(modules: LocalModules) -> Iterator[Finding]:
    """Say which of the project's own modules the version keeps, and which it can't."""
    if modules.kept:
        shown = [item.source for item in modules.kept[:SHOWN_AT_MOST]]
        more = len(modules.kept) - len(shown)
        yield finding(
            "local-modules",
            f"The version keeps its own copy of {', '.join(shown)}"
            + (f" and {more} more files." if more > 0 else "."),
        )
    for unkept in modules.unkept:
        yield finding(
            "local-modules-not-kept", f"The version has no copy of {unkept.name}: {unkept.reason}."
        )


def origin_findings(
    notebook: str, former: Version | None, *, is_detached: bool
) -> Iterator[Finding]:
    """Warn of two notebooks that share one pipeline's name, and of a commit on no branch.

    Parameters
    ----------
    notebook
        Path of the notebook, relative to the repository's root, with ``/``.
    is_detached
        Whether the repository's HEAD is on no branch.
    """
    if is_detached:
        yield finding("head-detached", "HEAD is on no branch: only the tag will keep the commit.")
    if former is not None and former.manifest.notebook != notebook:
        yield finding(
            "pipeline-of-another-notebook",
            f"{former.reference} came from {former.manifest.notebook}, this is {notebook}.",
        )


def finding(
    code: str, message: str, *, cell: int | None = None, line: int | None = None
) -> Finding:
    """Return a finding of this room's."""
    kind = FINDINGS[code]
    return Finding(
        code=code,
        severity=kind.severity,
        message=message,
        way_out=kind.way_out,
        cell=cell,
        line=line,
    )
