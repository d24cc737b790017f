"""The typed parameters of a notebook, and values for them.

All of it by these names: `find_parameters` reads them from a notebook, `read_values` checks
values, `to_source` writes the injected-parameters cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from nb2prod.notebook.models import PARAMETERS_TAG, Notebook
from nb2prod.notebook.parameter_source import SkippedParameter, scan_parameters
from nb2prod.notebook.parameter_values import (
    Parameter,
    ParameterType,
    literal_source,
    read_values,
    to_source,
)

__all__ = [
    "Parameter",
    "ParameterScan",
    "ParameterType",
    "SkippedParameter",
    "find_parameters",
    "literal_source",
    "read_values",
    "to_source",
]


@dataclass(frozen=True, kw_only=True)
class ParameterScan:
    """What the parameters cell has; ``cell_number`` is `None` where there is no such cell."""

    parameters: tuple[Parameter, ...] = ()
    skipped: tuple[SkippedParameter, ...] = ()
    cell_number: int | None = None


def find_parameters(notebook: Notebook) -> ParameterScan:
    """Find the parameters of a notebook in its first code cell tagged ``parameters``.

    Nothing is executed. See `nb2prod.notebook.parameter_source` for the rules.
    """
    for cell in notebook.code_cells:
        if PARAMETERS_TAG in cell.tags:
            parameters, skipped = scan_parameters(cell.source)
            return ParameterScan(parameters=parameters, skipped=skipped, cell_number=cell.number)
    return ParameterScan()
