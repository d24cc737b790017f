"""What promotion itself finds, beside the preflight of the notebook."""

from __future__ import annotations

from collections.abc import Iterator

from nb2prod.export.models import Finding, Severity
from nb2prod.registry.lock import ObservedEnvironment
from nb2prod.registry.models import Version


def environment_findings(environment: ObservedEnvironment) -> Iterator[Finding]:
    """Say how far the environment lock can be trusted."""
    yield Finding(
        code="environment-observed",
        severity=Severity.NOTE,
        message=f"The environment lock lists what is installed for Python"
        f" {environment.lock.python} now; nothing declares it.",
        way_out="Keep this environment as it is while the version is in use.",
    )
    if environment.local:
        yield Finding(
            code="environment-local-package",
            severity=Severity.NOTE,
            message=f"{', '.join(environment.local)}: installed from a local folder, so the"
            " lock can't bring back the same code.",
            way_out="Install it from a release, if the notebook uses it.",
        )


def origin_findings(notebook: str, former: Version | None) -> Iterator[Finding]:
    """Warn of two notebooks that share one pipeline's name.

    Parameters
    ----------
    notebook
        Path of the notebook, relative to the repository's root, with ``/``.
    """
    if former is not None and former.manifest.notebook != notebook:
        yield Finding(
            code="pipeline-of-another-notebook",
            severity=Severity.WARNING,
            message=f"{former.reference} came from {former.manifest.notebook}, this is {notebook}.",
            way_out="Give it a name of its own with `--name`, unless the notebook was moved.",
        )
