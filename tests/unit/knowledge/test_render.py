"""A notebook and its record to a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from nb2prod.errors import StorageFull
from nb2prod.execution.models import (
    Artifact,
    ArtifactKind,
    CellRecord,
    CellStatus,
    RunStatus,
)
from nb2prod.knowledge import render as render_module
from nb2prod.knowledge.models import Heading, PageDocument
from nb2prod.knowledge.render import render, render_nothing
from nb2prod.store.blobs import BlobStore
from tests.helpers.hostile import GIF, JPEG, PNG
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, raw, stream
from tests.helpers.runs import manifest_text, run_record

PLOT = display_data({"image/png": PNG})
PHOTO = display_data({"image/jpeg": JPEG})


def page(blobs: BlobStore, notebook: Mapping[str, Any], **fields: Any) -> PageDocument:
    """The page of a run that ended."""
    return render(notebook, run_record(blobs, notebook, **fields), blobs)


def test_render_shows_each_cell_with_its_record(blobs: BlobStore) -> None:
    notebook = notebook_json(
        markdown("# Seat *demand*\n\nwords"),
        code("x = 1", tags=["parameters"], outputs=[stream("<out>\n")]),
        raw("<raw>"),
    )

    document = page(blobs, notebook, id="abcdefghijkl")

    prose, program, text = document.cells
    assert document.title == "Seat demand"
    assert document.outline == (Heading(level=1, text="Seat demand", anchor="h-seat-demand"),)
    assert prose.html == '<h1 id="h-seat-demand">Seat <em>demand</em></h1>\n<p>words</p>\n'
    assert (prose.kind, prose.status, prose.outputs) == ("markdown", None, ())
    assert program.html.startswith('<pre class="code"><code><span class="n">x</span>')
    assert (program.status, program.duration_s) == (CellStatus.SUCCEEDED, 0.25)
    assert program.tags == ("parameters",)
    assert program.outputs[0].html == '<pre class="text stdout">&lt;out&gt;</pre>'
    assert (text.kind, text.html) == ("raw", '<pre class="text">&lt;raw&gt;</pre>')
    assert [cell.number for cell in document.cells] == [1, 2, 3]


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        ((markdown("## Part\n\n# Real title"),), "Real title"),
        ((markdown("Setext\n===="),), "Setext"),
        ((markdown("<h1>Raw</h1>"),), "Raw"),
        ((code("# No title"),), "train"),
        ((markdown("no heading"),), "train"),
        ((markdown(f"# {'long ' * 100}"),), f"{'long ' * 40}"[:199].rstrip() + "…"),
    ],
    ids=["first", "setext", "html", "code", "none", "long"],
)
def test_render_takes_the_first_heading_for_title(
    cells: tuple[Any, ...], title: str, blobs: BlobStore
) -> None:
    assert page(blobs, notebook_json(*cells)).title == title


def test_render_of_a_failed_run_shows_outputs_so_far_and_the_error(blobs: BlobStore) -> None:
    notebook = notebook_json(
        code("1", outputs=[stream("so far")]),
        code("2"),
        code("3"),
        markdown("# Conclusion\n\nWon."),
    )
    records = (
        CellRecord(number=1, status=CellStatus.SUCCEEDED),
        CellRecord(number=2, status=CellStatus.FAILED, error="\x1b[31mNameError: <x>\x1b[0m"),
        CellRecord(number=3, status=CellStatus.NOT_RUN),
    )

    document = page(blobs, notebook, status=RunStatus.FAILED, cells=records)

    assert [cell.status for cell in document.cells[:3]] == [record.status for record in records]
    assert document.cells[1].error == "NameError: <x>"
    assert "so far" in document.cells[0].outputs[0].html
    # What was written before the run says nothing of one that never got there.
    assert (document.conclusion, document.conclusion_html) == ("", "")


def test_render_without_a_record_of_the_error_takes_the_outputs(blobs: BlobStore) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}

    document = page(blobs, notebook_json(code("1", outputs=[error])), cells=())

    assert document.cells[0].error == "ValueError: no"


@pytest.mark.parametrize(
    ("language", "class_name"),
    [("python", "kn"), ("ipython3", "kn"), ("no such language", None)],
)
def test_render_marks_code_in_the_notebooks_language(
    language: str, class_name: str | None, blobs: BlobStore
) -> None:
    notebook = notebook_json(code("import x"), metadata={"language_info": {"name": language}})

    markup = page(blobs, notebook).cells[0].html

    assert ("<span" in markup) == (class_name is not None)
    assert class_name is None or f'<span class="{class_name}">import</span>' in markup


@pytest.mark.parametrize(
    ("cells", "poster"),
    [
        ((code("1", outputs=[PLOT]), code("2", outputs=[PHOTO])), "image/jpeg"),
        ((code("1", outputs=[PLOT], tags=["poster"]), code("2", outputs=[PHOTO])), "image/png"),
        ((code("1", outputs=[PHOTO, PLOT]),), "image/png"),
        (
            (code("1", outputs=[stream("x")], tags=["poster"]), code("2", outputs=[PLOT])),
            "image/png",
        ),
        ((code("1", outputs=[display_data({"image/gif": GIF})]),), None),
        ((code("1", outputs=[display_data({"image/svg+xml": "<svg></svg>"})]),), None),
        ((markdown("x"),), None),
    ],
    ids=["last", "tagged", "last-of-cell", "tagged-without", "gif", "svg", "none"],
)
def test_render_chooses_the_poster(
    cells: tuple[Any, ...], poster: str | None, blobs: BlobStore
) -> None:
    document = page(blobs, notebook_json(*cells))

    media_types = {blob.sha256: blob.media_type for blob in document.blobs}
    assert (document.poster and media_types[document.poster]) == poster


@pytest.mark.parametrize(
    ("manifest", "metrics", "expected"),
    [
        (manifest_text("mape", lower_is_better=True), {"a": 1.0}, ("mape", True)),
        (manifest_text("mape"), {"a": 1.0, "mape": 2.0}, ("mape", None)),
        (manifest_text(), {"b": 1.0, "a": 2.0}, ("a", None)),
        (manifest_text(), {}, (None, None)),
        ("no [toml", {"a": 1.0}, ("a", None)),
    ],
    ids=["named", "unsaid", "first-by-name", "none", "broken-manifest"],
)
def test_render_finds_the_main_metric(
    manifest: str,
    metrics: dict[str, float],
    expected: tuple[str | None, bool | None],
    blobs: BlobStore,
) -> None:
    document = page(blobs, notebook_json(), manifest=manifest, metrics=metrics)

    assert (document.main_metric, document.lower_is_better) == expected


def test_render_lists_everything_that_can_be_downloaded(blobs: BlobStore) -> None:
    model = blobs.put_bytes(b"model")
    gone = "1" * 64
    artifact = Artifact(
        name="models/net.pt",
        kind=ArtifactKind.MODEL,
        media_type="Application/Octet-Stream",
        sha256=model.sha256,
        size_bytes=5,
    )
    notebook = notebook_json(code("1", outputs=[PLOT]))
    record = run_record(blobs, notebook, artifacts=(artifact,))
    record = run_record(
        blobs, notebook, artifacts=(artifact,), sources={**record.sources, "lost": gone}
    )

    document = render(notebook, record, blobs)

    listed = {blob.name: blob for blob in document.blobs}
    assert {"train-v1.py", "train-v1.ipynb", "requirements.lock", "pipeline.toml"} <= listed.keys()
    assert listed["models/net.pt"].media_type == "application/octet-stream"
    assert listed["output-1-1.png"].media_type == "image/png"
    assert gone not in {blob.sha256 for blob in document.blobs}
    assert all(len(blobs.get(blob.sha256)) == blob.size_bytes for blob in document.blobs)


def test_render_of_an_artifact_that_is_a_shown_picture_keeps_the_pictures_type(
    blobs: BlobStore,
) -> None:
    notebook = notebook_json(code("1", outputs=[PLOT]))
    sha256 = page(blobs, notebook).poster or ""
    artifact = Artifact(
        name="x.html", kind=ArtifactKind.FILE, media_type="text/html", sha256=sha256, size_bytes=1
    )

    document = page(blobs, notebook, artifacts=(artifact,))

    assert [blob.media_type for blob in document.blobs if blob.sha256 == sha256] == ["image/png"]


@pytest.mark.parametrize(
    ("drawing", "media_type"),
    [
        (b"<svg ></svg>", "image/svg+xml"),
        (b'<?xml-stylesheet href="http://x.y"?><svg></svg>', "application/octet-stream"),
        (b"<html></html>", "application/octet-stream"),
    ],
    ids=["drawing", "style-sheet", "html"],
)
def test_render_of_an_artifact_said_to_be_svg_looks_into_it(
    drawing: bytes, media_type: str, blobs: BlobStore
) -> None:
    stored = blobs.put_bytes(drawing)
    artifact = Artifact(
        name="x.svg",
        kind=ArtifactKind.FIGURE,
        media_type="image/svg+xml; charset=utf-8",
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
    )

    document = page(blobs, notebook_json(markdown("![x](x.svg)")), artifacts=(artifact,))

    kept = [blob.media_type for blob in document.blobs if blob.sha256 == stored.sha256]
    assert kept == [media_type]
    assert ("<img" in document.cells[0].html) == (media_type == "image/svg+xml")


def test_render_that_fails_for_a_cell_shows_its_source(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_arguments: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(render_module, "render_markdown", break_down)

    document = page(blobs, notebook_json(markdown("*a* <b>"), code("x")))

    assert document.cells[0].html == '<pre class="text">*a* &lt;b&gt;</pre>'
    assert document.cells[1].html.startswith('<pre class="code">')
    assert "ZeroDivisionError" in caplog.text


def test_render_without_space_says_so(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = notebook_json(code("1", outputs=[PLOT]))
    record = run_record(blobs, notebook)

    def refuse(_content: bytes) -> None:
        raise StorageFull("No space is left.")

    monkeypatch.setattr(blobs, "put_bytes", refuse)

    with pytest.raises(StorageFull):
        render(notebook, record, blobs)


def test_render_nothing_gives_the_reason_and_the_downloads(blobs: BlobStore) -> None:
    record = run_record(blobs, notebook_json(), metrics={"a": 1.0})

    document = render_nothing(record, blobs, "Too <odd>.")

    assert document.title == "train"
    assert document.cells[0].html == '<p class="notice">Too &lt;odd&gt;.</p>'
    assert document.main_metric == "a"
    assert {blob.sha256 for blob in document.blobs} == set(record.sources.values())
