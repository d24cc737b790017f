"""``jupyter nbconvert --to nb2prod``: the script, through nbconvert."""

from __future__ import annotations

import json
from typing import Any

import nbformat
from nbconvert.exporters import Exporter

from nb2prod.export.assets import extract_assets
from nb2prod.export.notebook_script import script_of
from nb2prod.notebook.languages import language_named
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.reading import parse_notebook


class Nb2prodExporter(Exporter):  # type: ignore[misc] # nbconvert has no types
    """Export a notebook as a script in its own language, which runs on its own.

    The preflight is not asked: a script comes out of every notebook that can be one. What
    can't be translated ends the export with the number of its cell.
    """

    export_from_notebook = "nb2prod script"
    output_mimetype = "text/x-python"

    def _file_extension_default(self) -> str:
        return ".py"

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the script, and nbconvert's resources with the assets as outputs.

        Raises
        ------
        MagicRefused, InvalidInput
            A cell can't become plain Python.
        """
        converted, resources = super().from_notebook_node(nb, resources, **kwargs)
        name = (resources.get("metadata") or {}).get("name") or "notebook"
        notebook = parse_notebook(json.dumps(converted).encode(), name=name)
        notebook, assets = extract_assets(notebook)
        language = language_named(notebook.language)
        resources["output_extension"] = language.extension
        script = script_of(
            notebook,
            find_parameters(notebook).parameters,
            distributions=_installed_distributions(),
        )
        resources["outputs"] = {**(resources.get("outputs") or {}), **assets}
        return script, resources


def _installed_distributions() -> dict[str, tuple[str, ...]]:
    """Return what is installed beside nbconvert: nearest to what the notebook uses."""
    from importlib.metadata import packages_distributions

    return {module: tuple(sorted(set(names))) for module, names in packages_distributions().items()}
