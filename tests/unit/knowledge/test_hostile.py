"""No hostile notebook gets anything into a page but text, pictures and our own markup."""

from __future__ import annotations

import re
from functools import cache

import pytest

from nb2prod.knowledge.documents import read_document, search_text, write_document
from nb2prod.knowledge.images import media_type_of
from nb2prod.knowledge.models import PageDocument
from nb2prod.knowledge.render import render
from nb2prod.store.blobs import BlobStore
from tests.helpers.hostile import HostileNotebook, hostile_notebooks
from tests.helpers.markup import Reading, markups
from tests.helpers.runs import run_record

CORPUS = hostile_notebooks()


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> BlobStore:
    """One store for all attacks, so that each is rendered once."""
    return BlobStore(str(tmp_path_factory.mktemp("blobs")))


@cache
def rendered(hostile_id: str, blobs: BlobStore) -> PageDocument:
    """The page of an attack."""
    hostile = next(item for item in CORPUS if item.id == hostile_id)
    for content in hostile.contents:
        blobs.put_bytes(content)
    record = run_record(blobs, hostile.notebook, **hostile.record_overrides)
    return render(hostile.notebook, record, blobs)


def test_corpus_has_enough_attacks_each_with_its_own_marker() -> None:
    assert len(CORPUS) >= 60
    assert len({hostile.marker for hostile in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.id)
def test_render_of_a_hostile_notebook_has_only_allowed_markup(
    hostile: HostileNotebook, blobs: BlobStore
) -> None:
    document = rendered(hostile.id, blobs)

    for markup in markups(document):
        assert Reading(markup, document.run_id).faults == []
        assert re.search("[\x00-\x08\ud800-\udfff\ue000\ue001\u202a-\u202e]", markup) is None


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.id)
def test_render_of_a_hostile_notebook_shows_only_pictures_inline(
    hostile: HostileNotebook, blobs: BlobStore
) -> None:
    document = rendered(hostile.id, blobs)

    kept = {blob.sha256: blob for blob in document.blobs}
    shown = {sha for markup in markups(document) for sha in re.findall(r"blobs/(\w{64})", markup)}
    images = [
        output for cell in document.cells for output in cell.outputs if output.kind == "image"
    ]
    shown |= {output.sha256 or "" for output in images}
    for sha256 in shown:
        content = blobs.get(sha256)
        is_svg = kept[sha256].media_type == "image/svg+xml"
        assert is_svg or media_type_of(content) == kept[sha256].media_type
    for output in images:
        assert output.width is None or 1 <= output.width <= 10_000
        assert output.height is None or 1 <= output.height <= 10_000
        assert type(output.width) in (int, type(None))


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.id)
def test_render_of_a_hostile_notebook_gives_plain_names(
    hostile: HostileNotebook, blobs: BlobStore
) -> None:
    document = rendered(hostile.id, blobs)

    names = [document.title, *(blob.name for blob in document.blobs)]
    names += [tag for cell in document.cells for tag in cell.tags]
    names += [heading.text for heading in document.outline]
    names += [output.label for cell in document.cells for output in cell.outputs]
    assert [name for name in names if not name.isprintable()] == []
    assert all(re.fullmatch(r"[a-z0-9.+_/-]+", blob.media_type) for blob in document.blobs)
    assert all(re.fullmatch(r"h-[\w-]+", heading.anchor) for heading in document.outline)


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.id)
def test_page_of_a_hostile_notebook_survives_storing(
    hostile: HostileNotebook, blobs: BlobStore
) -> None:
    document = rendered(hostile.id, blobs)

    assert read_document(write_document(document)) == document
    text = search_text(document)
    "\n".join((text.title, text.markdown, text.code, text.outputs)).encode()


def test_reading_of_unsafe_markup_finds_the_faults() -> None:
    """The test's own parser can fail: it finds what it is there to find."""
    unsafe = (
        '<script>x</script><b onclick="x">b</b><a href="javascript:x">a</a><img src="http://x">'
        '<h1 id="main">x</h1><span class="button">x</span><!-- c --><p id=x>'
    )

    faults = Reading(unsafe, "aaaaaaaaaaaa").faults

    assert [fault.split()[0] for fault in faults] == [
        "tag", "attribute", "href", "src", "id", "class", "comment", "attribute", "id",
    ]  # fmt: skip
