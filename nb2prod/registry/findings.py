"""What promotion itself finds, beside the preflight of the notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from nb2prod.export.findings import FindingKind
from nb2prod.export.models import Finding, Severity
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.models import Version

FINDINGS: Mapping[str, FindingKind] = MappingProxyType(
    {
        "environment-observed": FindingKind(
            severity=Severity.NOTE,
            summary="The environment lock lists what happens to be installed; nothing declares it.",
            way_out="Keep this environment as it is while the version is in use.",
        ),
        "environment-local-package": FindingKind(
            severity=Severity.NOTE,
            summary="A package was installed from a local folder, so the lock can't bring back"
            " the same code.",
            way_out="Install it from a release, if the notebook uses it.",
        ),
        "pipeline-of-another-notebook": FindingKind(
            severity=Severity.WARNING,
            summary="The pipeline's newest version came from another notebook.",
            way_out="Give it a name of its own with `--name`, unless the notebook was moved.",
        ),
    }
)


def environment_findings(environment: ObservedEnvironment) -> Iterator[Finding]:
    """Say how far the environment lock can be trusted."""
    yield _finding(
        "environment-observed",
        f"The environment lock lists what is installed for Python {environment.lock.python}"
        " now; nothing declares it.",
    )
    if environment.local:
        yield _finding(
            "environment-local-package",
            f"Installed from a local folder, so that the lock can't bring back the same code:"
            f" {', '.join(environment.local)}.",
        )


def origin_findings(notebook: str, former: Version | None) -> Iterator[Finding]:
    """Warn of two notebooks that share one pipeline's name.

    Parameters
    ----------
    notebook
        Path of the notebook, relative to the repository's root, with ``/``.
    """
    if former is not None and former.manifest.notebook != notebook:
        yield _finding(
            "pipeline-of-another-notebook",
            f"{former.reference} came from {former.manifest.notebook}, this is {notebook}.",
        )


def _finding(code: str, message: str) -> Finding:
    kind = FINDINGS[code]
    return Finding(code=code, severity=kind.severity, message=message, way_out=kind.way_out)
