"""Files pasted into markdown cells: taken out into files of their own, and put back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from nb2prod.notebook.models import Cell, Notebook

ASSETS_FOLDER = "assets"

_UNSAFE = re.compile(r"[^\w.-]+")
_REFERENCE = re.compile(r"attachment:(?P<name>[^\s)\"'>]+)")


def extract_assets(notebook: Notebook) -> tuple[Notebook, dict[str, bytes]]:
    """Turn attachments of markdown cells into files, and references to them into paths.

    Where several attachments of one name differ, as JupyterLab's many ``image.png`` do, a part
    of the content's hash makes the names of all of them differ, so that no file's name depends
    on the order of cells.

    Returns
    -------
    Notebook
        Without the attachments that became files.
    dict
        Path relative to the script's folder, with ``/`` → content.
    """
    contents = [_contents(cell) for cell in notebook.cells]
    versions: dict[str, set[bytes]] = {}
    for found in contents:
        for name, content in found.items():
            versions.setdefault(_safe(name), set()).add(content)
    assets: dict[str, bytes] = {}
    cells = []
    for cell, found in zip(notebook.cells, contents, strict=True):
        paths = {}
        for name, content in found.items():
            paths[name] = _path(_safe(name), content, is_shared=len(versions[_safe(name)]) > 1)
            assets[paths[name]] = content
        cells.append(_with_paths(cell, paths) if paths else cell)
    return replace(notebook, cells=tuple(cells)), dict(sorted(assets.items()))


def embed_assets(notebook: Notebook, assets: Mapping[str, bytes]) -> Notebook:
    """Turn paths to assets in markdown into attachments: what `extract_assets` took out.

    The notebook then shows its pictures wherever it lies.
    """
    return replace(
        notebook, cells=tuple(_with_attachments(cell, assets) for cell in notebook.cells)
    )


def _with_attachments(cell: Cell, assets: Mapping[str, bytes]) -> Cell:
    source, attachments = cell.source, dict(cell.attachments)
    for path in assets if cell.kind == "markdown" else ():
        name = PurePosixPath(path).name
        written = re.compile(rf"{re.escape(quote(path))}(?=[\s)\"'>])")
        if written.search(source):
            source = written.sub(f"attachment:{quote(name)}", source)
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            attachments[name] = {media_type: base64.b64encode(assets[path]).decode()}
    return replace(cell, source=source, attachments=attachments)


def _contents(cell: Cell) -> dict[str, bytes]:
    found = {}
    for name, data in cell.attachments.items():
        content = _decoded(data)
        if content is not None and cell.kind != "code":
            found[name] = content
    return found


def _decoded(data: Mapping[str, str]) -> bytes | None:
    for media_type, text in sorted(data.items()):
        if media_type == "image/svg+xml" and "<" in text:
            return text.encode()
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError, AttributeError):
            continue
    return None


def _safe(name: str) -> str:
    return _UNSAFE.sub("-", name).lstrip(".-")[-100:] or "attachment"


def _path(name: str, content: bytes, *, is_shared: bool) -> str:
    if is_shared:
        path = PurePosixPath(name)
        name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix}"
    return f"{ASSETS_FOLDER}/{name}"


def _with_paths(cell: Cell, paths: Mapping[str, str]) -> Cell:
    def path(match: re.Match[str]) -> str:
        name = match["name"]
        found = paths.get(name) or paths.get(unquote(name))
        return quote(found) if found else match[0]

    return replace(
        cell,
        source=_REFERENCE.sub(path, cell.source),
        attachments={name: data for name, data in cell.attachments.items() if name not in paths},
    )
