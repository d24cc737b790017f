"""From a notebook to its script and back, whatever language it is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nb2prod.export.language_script import from_language_script, to_language_script
from nb2prod.export.script import from_script, to_script
from nb2prod.export.script_header import read_header
from nb2prod.notebook.languages import PYTHON, language_named
from nb2prod.notebook.models import Notebook
from nb2prod.notebook.parameters import Parameter


def script_of(
    notebook: Notebook,
    parameters: Sequence[Parameter],
    *,
    distributions: Mapping[str, tuple[str, ...]] | None = None,
    has_modules: bool = False,
) -> str:
    """Write a notebook as a script in its own language; see `nb2prod.export.script.to_script`.

    Raises
    ------
    MagicRefused, InvalidInput
        A cell can't become a part of the script, or the language has no scripts.
    """
    if language_named(notebook.language) is PYTHON:
        return to_script(notebook, parameters, distributions=distributions, has_modules=has_modules)
    return to_language_script(notebook)


def notebook_of(script: str, *, name: str) -> Notebook:
    """Read a script as the notebook that it was; see `nb2prod.export.script.from_script`."""
    header, start = read_header(script.replace("\r\n", "\n").split("\n"))
    if header.language is None or header.language.lower() == PYTHON.key:
        return from_script(script, name=name)
    return from_language_script(script, header, start, name=name)


def script_name(pipeline: str, language: str) -> str:
    """Return the name of a pipeline's script.

    >>> script_name("train", "r")
    'train.R'
    """
    return f"{pipeline}{language_named(language).extension}"
