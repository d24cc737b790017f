"""The preflight: what is wrong with a notebook, said before it is promoted.

Each check is a function from the notebook to its findings; a new one is written beside the others,
gets its row in `nb2prod.export.findings.FINDINGS`, and its place in one of the lists here.
"""

from __future__ import annotations

from collections.abc import Iterable

from nb2prod.export.checked_notebook import Check, NotebookCheck, cells_to_check, check_notebook
from nb2prod.export.clock_checks import current_time
from nb2prod.export.findings import finding
from nb2prod.export.language_checks import LANGUAGE_CHECKS
from nb2prod.export.models import Finding, Severity
from nb2prod.export.name_checks import missing_names
from nb2prod.export.needed_cells import dead_cells, needed_though_left_out
from nb2prod.export.output_checks import (
    execution_order,
    failed_cells,
    large_outputs,
    stale_outputs,
)
from nb2prod.export.outside_checks import environment_read, input_asked, network_access
from nb2prod.export.parameter_checks import parameters, reassigned_parameters
from nb2prod.export.path_checks import paths
from nb2prod.export.random_checks import unseeded_randomness
from nb2prod.export.secret_checks import secrets_in_outputs, secrets_in_sources
from nb2prod.export.translation_checks import guarded_installations, invalid, refused
from nb2prod.notebook.languages import LANGUAGES, PYTHON
from nb2prod.notebook.models import Notebook

# What holds in any language.
NOTEBOOK_CHECKS: tuple[NotebookCheck, ...] = (
    execution_order,
    stale_outputs,
    failed_cells,
    large_outputs,
    secrets_in_sources,
    secrets_in_outputs,
    parameters,
)
PYTHON_CHECKS: tuple[Check, ...] = (
    refused,
    guarded_installations,
    invalid,
    missing_names,
    needed_though_left_out,
    dead_cells,
    reassigned_parameters,
    paths,
    network_access,
    unseeded_randomness,
    current_time,
    environment_read,
    input_asked,
)
_WEIGHTS = {Severity.BLOCKING: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def preflight(notebook: Notebook, *, directory: str | None = None) -> tuple[Finding, ...]:
    """Check a notebook without running it.

    A project's policy and the notebook's own silences are not looked at;
    `nb2prod.export.policy.judged` does so.

    Parameters
    ----------
    directory
        Where the notebook lies in its project, relative to the project's folder, ``.`` for the
        folder itself; `None` where nobody knows.

    Returns
    -------
    tuple of Finding
        Blocking ones first, then by cell and line. `nb2prod.export.findings.FINDINGS` has all
        codes.
    """
    language = LANGUAGES.get(notebook.language)
    if language is None:
        message = f"The notebook is written in {notebook.language}."
        return (finding("language-unsupported", message),)
    if not cells_to_check(notebook):
        return (finding("notebook-empty", "The notebook has no code."),)
    if language is PYTHON:
        checked = check_notebook(notebook, directory=directory)
        found = [item for check in PYTHON_CHECKS for item in check(checked)]
    else:
        found = [item for check in LANGUAGE_CHECKS for item in check(notebook)]
    found += [item for check in NOTEBOOK_CHECKS for item in check(notebook)]
    return by_weight(found)


def by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: blocking ones first, silenced ones last, then by cell and line."""
    return tuple(
        sorted(
            findings,
            key=lambda item: (
                item.is_silenced,
                _WEIGHTS[item.severity],
                item.cell or 0,
                item.line or 0,
            ),
        )
    )
