"""Reading a notebook file, and giving a notebook back to the libraries that want nbformat's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb2prod.errors import NotebookUnreadable
from nb2prod.notebook.languages import LANGUAGES, PYTHON
from nb2prod.notebook.models import Cell, CellKind, Notebook

if TYPE_CHECKING:
    import nbformat

_DEFAULT_KERNEL = "python3"
# What notebooks were seen to call the language Python.
_ALSO_PYTHON = frozenset({"python3", "python2", "ipython", "ipython3"})
_KINDS: Mapping[str, CellKind] = {"code": "code", "markdown": "markdown", "raw": "raw"}


def read_notebook(path: Path) -> Notebook:
    """Read a notebook file; its name is the file's without ``.ipynb``.

    Raises
    ------
    NotebookUnreadable
        There is no such file, it can't be opened, or it is no notebook.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotebookUnreadable(f"There is no file {path}. Give the path of a notebook.") from None
    except OSError as error:
        raise NotebookUnreadable(f"{path} can't be read: {error.strerror or error}.") from error
    return parse_notebook(content, name=path.name.removesuffix(".ipynb"))


def parse_notebook(content: bytes, *, name: str) -> Notebook:
    r"""Read the bytes of a notebook file, in Jupyter's format 4 (any minor) or 3.

    Line ends become ``\n``, as Python itself reads them, and a source ends without one.

    Raises
    ------
    NotebookUnreadable
        The bytes are no notebook; the message says what is wrong with them.
    """
    document = _document(content, name)
    version = document.get("nbformat")
    if version == 3:
        document = _upgraded(content, name)
    elif version != 4:
        raise _unreadable(name, f"it has format {version!r}, not Jupyter's format 3 or 4")
    entries = document.get("cells")
    if not isinstance(entries, list):
        raise _unreadable(name, "it has no list of cells")
    metadata = _mapping(document.get("metadata"))
    kernel = _mapping(metadata.get("kernelspec"))
    kernel_name = _text(kernel.get("name")) or _DEFAULT_KERNEL
    language_info = _mapping(metadata.get("language_info"))
    return Notebook(
        name=name,
        cells=tuple(_cell(entry, number, name) for number, entry in enumerate(entries, start=1)),
        kernel_name=kernel_name,
        kernel_display_name=_text(kernel.get("display_name")) or kernel_name,
        language=_language(_text(language_info.get("name")) or _text(kernel.get("language"))),
        metadata=metadata,
    )


def to_node(notebook: Notebook) -> nbformat.NotebookNode:
    """Return the notebook as nbformat's (4.5), for papermill, jupytext and nbclient.

    The cells' ids are made from their numbers, so that equal notebooks give equal nodes.
    """
    import nbformat

    known = LANGUAGES.get(notebook.language)
    language = notebook.language if known is None else known.name
    return nbformat.from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                **notebook.metadata,
                "kernelspec": {
                    "name": notebook.kernel_name,
                    "display_name": notebook.kernel_display_name,
                    "language": language,
                },
                "language_info": {
                    **_mapping(notebook.metadata.get("language_info")),
                    "name": language,
                },
            },
            "cells": [_cell_document(cell) for cell in notebook.cells],
        }
    )


def _language(name: str) -> str:
    """Return a language's key; tools that make notebooks call Python by its kernel's name too."""
    key = (name or PYTHON.key).lower()
    return PYTHON.key if key in _ALSO_PYTHON else key


def _document(content: bytes, name: str) -> Mapping[str, Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"it is not UTF-8 text (byte {error.start})") from error
    if not text.strip():
        raise _unreadable(name, "it is empty")
    try:
        document = json.loads(text)
        # JSON can name halves of characters, which no file in UTF-8 can hold.
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _unreadable(name, "it has text that is not valid Unicode") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, f"it is not valid JSON ({error})") from error
    if not isinstance(document, dict):
        raise _unreadable(name, "it is JSON, but no notebook")
    return document


def _upgraded(content: bytes, name: str) -> Mapping[str, Any]:
    import nbformat

    try:
        node = nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        document: Mapping[str, Any] = json.loads(json.dumps(node))
    # A damaged file of format 3 makes nbformat's conversion fail in any way that Python knows.
    except Exception as error:
        raise _unreadable(name, "it says format 3, but has not its form") from error
    return document


def _cell(entry: object, number: int, name: str) -> Cell:
    if not isinstance(entry, dict):
        raise _unreadable(name, f"cell {number} is no cell")
    kind = _KINDS.get(_text(entry.get("cell_type")))
    if kind is None:
        raise _unreadable(name, f"cell {number} has the unknown type {entry.get('cell_type')!r}")
    source = _joined(entry.get("source", ""))
    if source is None:
        raise _unreadable(name, f"the source of cell {number} is no text")
    if "\0" in source:
        raise _unreadable(name, f"cell {number} has a NUL character, which no program can have")
    metadata = _mapping(entry.get("metadata"))
    tags = metadata.get("tags")
    count = entry.get("execution_count")
    outputs = entry.get("outputs") if kind == "code" else None
    return Cell(
        number=number,
        kind=kind,
        source=source.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"),
        tags=tuple(filter(None, map(_text, tags))) if isinstance(tags, list) else (),
        execution_count=count if kind == "code" and isinstance(count, int) else None,
        outputs=tuple(map(_output, outputs)) if isinstance(outputs, list) else (),
        attachments={
            file: _mapping(data) for file, data in _mapping(entry.get("attachments")).items()
        },
        metadata=metadata,
    )


def _output(entry: object) -> Mapping[str, Any]:
    """Join texts that are kept as lists of lines."""
    output = dict(_mapping(entry))
    if "text" in output:
        output["text"] = _joined(output["text"]) or ""
    if "data" in output:
        output["data"] = {
            media_type: value if media_type.endswith("json") else _joined(value) or value
            for media_type, value in _mapping(output["data"]).items()
        }
    return output


def _joined(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else None


def _cell_document(cell: Cell) -> dict[str, Any]:
    metadata = {key: value for key, value in cell.metadata.items() if key != "tags"}
    document: dict[str, Any] = {
        "cell_type": cell.kind,
        "id": f"cell-{cell.number}",
        "metadata": {**metadata, "tags": list(cell.tags)} if cell.tags else metadata,
        "source": cell.source,
    }
    if cell.kind == "code":
        document["execution_count"] = cell.execution_count
        document["outputs"] = [dict(output) for output in cell.outputs]
    elif cell.attachments:
        document["attachments"] = {name: dict(data) for name, data in cell.attachments.items()}
    return document


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unreadable(name: str, why: str) -> NotebookUnreadable:
    return NotebookUnreadable(
        f"{name} is no notebook that can be read: {why}. Open and save it in JupyterLab, or"
        " take it from the last commit."
    )
