"""What is sent to be checked is what is saved."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from nb2prod_lab.saved_notebook import request_with_notebook
from tornado.web import HTTPError

from nb2prod.errors import InvalidInput, Nb2prodError, NotebookUnreadable, NotFound, ProposalStale

HASH = "4f2a"


class OneFileContents:
    """A contents manager with one file."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text

    async def get(self, path: str, **_: Any) -> dict[str, Any]:
        """Return the file."""
        if path != self.path:
            raise HTTPError(404, f"No such file or directory: {path}")
        return {"content": self.text, "hash": HASH}


def request_for(path: str, text: str = '{"cells": []}', **fields: Any) -> dict[str, Any]:
    """Return the body that is sent for a file."""
    contents = OneFileContents("project/train.ipynb", text)
    body = asyncio.run(request_with_notebook(contents, path, **fields))
    read: dict[str, Any] = json.loads(body)
    return read


def test_saved_notebook_goes_with_path_and_fields() -> None:
    assert request_for("/project/train.ipynb", expected_hash=HASH, name=None) == {
        "path": "project/train.ipynb",
        "name": None,
        "notebook": {"cells": []},
    }


@pytest.mark.parametrize(
    ("path", "text", "fields", "error"),
    [
        ("train.ipynb", "{}", {}, InvalidInput),
        ("projects/train.ipynb", "{}", {}, InvalidInput),
        ("project/gone.ipynb", "{}", {}, NotFound),
        ("project/train.ipynb", "{}", {"expected_hash": "other"}, ProposalStale),
        ("project/train.ipynb", "# no", {}, NotebookUnreadable),
        ("project/train.ipynb", "[]", {}, NotebookUnreadable),
        ("project/train.ipynb", "[" * 100_000, {}, NotebookUnreadable),
    ],
    ids=["root", "similar-folder", "gone", "changed-on-disk", "no-json", "list", "deep"],
)
def test_saved_notebook_that_cant_be_sent_says_why(
    path: str, text: str, fields: dict[str, Any], error: type[Nb2prodError]
) -> None:
    with pytest.raises(error):
        request_for(path, text, **fields)
