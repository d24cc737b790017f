"""The notebook as it will run: a version's cells, and the parameters with their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nb2prod.execution.models import RunRecord
from nb2prod.execution.papermill_io import METADATA_KEY, version_node
from nb2prod.notebook.languages import language_named
from nb2prod.notebook.models import INJECTED_PARAMETERS_TAG, PARAMETERS_TAG
from nb2prod.registry.models import Version

if TYPE_CHECKING:
    from nbformat import NotebookNode


def prepare_notebook(version: Version, record: RunRecord) -> NotebookNode:
    """Return a version's notebook as a run executes it: with typed parameters.

    The same version and record give the same notebook.
    """
    import nbformat

    node = version_node(version, project=record.project)
    # The executed notebook is read by others, whom the folders of this machine don't concern.
    del node.metadata[METADATA_KEY]["root"]
    if record.parameters:
        injected = nbformat.v4.new_code_cell(
            _values_source(version, record),
            id="injected-parameters",
            metadata={"tags": [INJECTED_PARAMETERS_TAG]},
        )
        node.cells.insert(_injection_index(node), injected)
    node.metadata["papermill"] = {
        "default_parameters": {item.name: item.default for item in version.manifest.parameters},
        "parameters": dict(record.parameters),
        "input_path": f"nb2prod://{record.project}/{version.reference}",
    }
    return node


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag."""
    return tag in cell.metadata.get("tags", ())


def _values_source(version: Version, record: RunRecord) -> str:
    language = language_named(version.manifest.language)
    source = language.write(version.manifest.parameters, record.parameters)
    return source or "# All values are as in the cell above."


def _injection_index(node: NotebookNode) -> int:
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "code" and has_tag(cell, PARAMETERS_TAG):
            return index + 1
    return 0
