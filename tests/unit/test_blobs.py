"""Content-addressed blobs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import BlobNotFound, StorageUnusable
from nb2prod.store.blobs import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path / "blobs"))


def test_put_bytes_gives_the_hash_and_get_the_content(store: BlobStore) -> None:
    blob = store.put_bytes(b"content")

    assert blob.sha256 == hashlib.sha256(b"content").hexdigest()
    assert blob.size_bytes == 7
    assert store.get(blob.sha256) == b"content"
    assert store.has(blob.sha256)


@given(content=st.binary(max_size=5000))
def test_put_bytes_in_memory_gives_back_any_content(content: bytes) -> None:
    store = BlobStore("memory://blobs")

    assert store.get(store.put_bytes(content).sha256) == content


def test_put_file_gives_the_same_blob_as_its_bytes(store: BlobStore, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"0123456789" * 300_000)

    blob = store.put_file(file)

    assert blob == store.put_bytes(file.read_bytes())
    assert store.get(blob.sha256) == file.read_bytes()


def test_put_twice_stores_once_and_leaves_nothing_partial(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes(b"same")
    store.put_bytes(b"same")

    files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert len(files) == 1


def test_put_where_nothing_can_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = BlobStore(str(tmp_path / "file"))

    with pytest.raises(StorageUnusable, match="can't be written"):
        store.put_bytes(b"content")


@pytest.mark.parametrize(
    "sha256",
    ["0" * 64, "../../etc/passwd", "", "0" * 63, "A" * 64, "../" + "0" * 61],
    ids=["absent", "path", "empty", "short", "upper-case", "path-of-right-length"],
)
def test_get_of_what_is_not_stored_is_not_found(store: BlobStore, sha256: str) -> None:
    with pytest.raises(BlobNotFound):
        store.get(sha256)


def test_store_of_an_unknown_kind_is_refused_without_its_password() -> None:
    with pytest.raises(StorageUnusable, match="'nosuch'") as caught:
        BlobStore("nosuch://ada:hunter2@host/blobs")

    assert "hunter2" not in caught.value.message
