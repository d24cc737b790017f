"""The notebook as it is saved: what is checked and promoted is read here, not in the browser."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jupyter_core.utils import ensure_async
from tornado.web import HTTPError

from nb2prod.errors import InvalidInput, NotebookUnreadable, NotFound, ProposalStale
from nb2prod_lab.settings import PRIVATE, PROJECT


async def request_with_notebook(
    contents_manager: Any, path: str, *, expected_hash: str | None = None, **fields: Any
) -> bytes:
    """Return a request body for the service: the fields, the path, and the notebook.

    Parameters
    ----------
    contents_manager
        The server's own.
    path
        Of the notebook, in the contents API.
    expected_hash
        The contents API's hash of what the browser has saved.

    Raises
    ------
    InvalidInput
        The notebook lies neither in the project nor in the private folder.
    NotFound
        There is no such file.
    NotebookUnreadable
        The file is no notebook.
    ProposalStale
        It is not what the browser has saved.
    """
    path = path.strip("/")
    if path.split("/")[0] not in (PROJECT, PRIVATE):
        raise InvalidInput(
            f"{path} lies outside the project. Move it into the folder `{PROJECT}`, or into"
            f" `{PRIVATE}`."
        )
    try:
        model = await ensure_async(
            contents_manager.get(path, type="file", format="text", require_hash=True)
        )
    except HTTPError as error:
        if error.status_code == 404:
            raise NotFound(f"There is no file {path} any more. Save the notebook.") from error
        raise NotebookUnreadable(f"{path} can't be read: {error.log_message}") from error
    if expected_hash and expected_hash != model["hash"]:
        raise ProposalStale(
            f"{path} was changed on disk after you saved it, perhaps by someone else. Reload it"
            " from disk, or save it again."
        )
    # A large notebook would hold up everything else that this server does.
    return await asyncio.to_thread(_body, model["content"], {"path": path, **fields})


def _body(text: str, fields: dict[str, Any]) -> bytes:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotebookUnreadable(f"{fields['path']} is no notebook: it is not JSON.") from error
    if not isinstance(notebook, dict):
        raise NotebookUnreadable(f"{fields['path']} is no notebook: it has no cells.")
    return json.dumps({**fields, "notebook": notebook}).encode()
