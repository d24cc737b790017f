"""The typed parameters of a notebook, and values for them.

All of it by these names: `find_parameters` reads them from a notebook, `read_values` checks
values, `to_source` writes the injected-parameters cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from nb2prod.notebook.ipython_syntax import without_ipython
from nb2prod.notebook.languages import LANGUAGES, PYTHON
from nb2prod.notebook.models import PARAMETERS_TAG, Cell, Notebook
from nb2prod.notebook.parameter_literals import imported_names
from nb2prod.notebook.parameter_python import to_source
from nb2prod.notebook.parameter_source import SkippedParameter, scan_parameters
from nb2prod.notebook.parameter_types import ParameterType
from nb2prod.notebook.parameter_values import Parameter, literal_source, read_values
from nb2prod.notebook.python_syntax import parse

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

    Nothing is executed. See `nb2prod.notebook.parameter_source` for the rules in Python,
    `nb2prod.notebook.plain_parameters` for those in other languages. A language that is not known
    has no parameters.
    """
    language = LANGUAGES.get(notebook.language)
    if language is None:
        return ParameterScan()
    names: dict[str, str] = {}
    for cell in notebook.code_cells:
        if PARAMETERS_TAG in cell.tags:
            parameters, skipped = (
                scan_parameters(cell.source, names)
                if language is PYTHON
                else language.scan(cell.source)
            )
            return ParameterScan(parameters=parameters, skipped=skipped, cell_number=cell.number)
        names |= _imports(cell)
    return ParameterScan()


def _imports(cell: Cell) -> dict[str, str]:
    if "import" not in cell.source:
        return {}
    try:
        return imported_names(parse(without_ipython(cell.source)))
    except SyntaxError:
        return {}
