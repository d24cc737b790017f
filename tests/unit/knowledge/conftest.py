"""What the tests of rendering share."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb2prod.knowledge.draft import Draft
from nb2prod.store.blobs import BlobStore
from tests.helpers.runs import run_record


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    """An empty blob store."""
    return BlobStore(str(tmp_path / "blobs"))


@pytest.fixture
def draft(blobs: BlobStore) -> Draft:
    """A page in the making."""
    return Draft(run_record(blobs, None, id="abcdefghijkl"), blobs)
