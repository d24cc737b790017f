"""Outputs: the richest safe form, or a card."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nb2prod.errors import StorageFull
from nb2prod.knowledge import outputs as outputs_module
from nb2prod.knowledge.draft import Draft
from nb2prod.knowledge.models import RenderedOutput
from nb2prod.knowledge.outputs import MAX_OUTPUT_BYTES, render_outputs
from nb2prod.store.blobs import Blob, BlobStore
from tests.helpers.hostile import GIF, JPEG, PNG, WEBP
from tests.helpers.notebooks import display_data, stream
from tests.helpers.runs import run_record

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


class FullStore(BlobStore):
    """A blob store on a device without space."""

    def put_bytes(self, content: bytes) -> Blob:
        raise StorageFull(f"No space is left for {len(content)} bytes.")


def bundle(draft: Draft, data: Any, metadata: Any = None) -> tuple[RenderedOutput, ...]:
    """The outputs that one MIME bundle gives."""
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    return render_outputs([output], 3, draft)


def kinds(outputs: tuple[RenderedOutput, ...]) -> list[str]:
    """What was made of a bundle, in short."""
    return [output.html or output.label or output.media_type for output in outputs]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        pytest.param({"text/plain": "a<b"}, ['<pre class="text plain">a&lt;b</pre>'], id="plain"),
        pytest.param(
            {"text/plain": "t", "text/html": "<b>h</b>"},
            ['<div class="rich"><b>h</b></div>'],
            id="html-before-plain",
        ),
        pytest.param(
            {"text/plain": "t", "text/markdown": "**m**"},
            ['<div class="prose"><p><strong>m</strong></p>\n</div>'],
            id="markdown",
        ),
        pytest.param(
            {"text/latex": "$\\frac12$", "image/png": PNG, "text/plain": "1/2"},
            ['<p class="formula"><span class="math" data-display="1">\\frac12</span></p>'],
            id="formula",
        ),
        pytest.param(
            {"text/latex": "\\begin{tabular}{l}a\\end{tabular}"},
            ['<pre class="text latex">\\begin{tabular}{l}a\\end{tabular}</pre>'],
            id="latex-source",
        ),
        pytest.param(
            {"application/json": {"a": [1]}},
            ['<pre class="text json">{\n  &quot;a&quot;: [\n    1\n  ]\n}</pre>'],
            id="json",
        ),
        pytest.param(
            {PLOTLY: {}, "text/html": "<script>x</script>", "image/png": PNG},
            ["Interactive output: Plotly chart", "image/png"],
            id="plotly-with-image",
        ),
        pytest.param(
            {WIDGET: {"model_id": "m"}, "text/plain": "50%"},
            ["Interactive output: Jupyter widget", '<pre class="text plain">50%</pre>'],
            id="widget",
        ),
        pytest.param(
            {"text/html": "<iframe></iframe>", "text/plain": "t"},
            ["Interactive output: HTML", '<pre class="text plain">t</pre>'],
            id="lossy-html",
        ),
        pytest.param(
            {"text/html": "<style>b{}</style><b>h</b>", "text/plain": "t"},
            [
                "The same with the author's colours and styles",
                '<div class="rich"><b>h</b></div>',
            ],
            id="styled-html",
        ),
        pytest.param(
            {"application/x-own": "x", "text/plain": "t"},
            ['<pre class="text plain">t</pre>', "Output of type application/x-own"],
            id="unknown",
        ),
        pytest.param(
            {"application/x-own": "x", "image/png": PNG}, ["image/png"], id="unknown-with-image"
        ),
        pytest.param(
            {"text/html": 5, "text/plain": "t"}, ['<pre class="text plain">t</pre>'], id="next-best"
        ),
        pytest.param(
            {"image/png": "no base64!"}, ["An output that can't be read as image/png"], id="broken"
        ),
        pytest.param({}, ["An empty output"], id="empty"),
        pytest.param(
            {"text/plain": ""}, ["An output that can't be read as text/plain"], id="no-text"
        ),
    ],
)
def test_render_outputs_of_a_bundle_shows_the_richest_safe_form(
    data: dict[str, Any], shown: list[str], draft: Draft
) -> None:
    assert kinds(bundle(draft, data)) == shown


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(PNG, "image/png"), (GIF, "image/gif"), (JPEG, "image/jpeg"), (WEBP, "image/webp")],
    ids=["png", "gif", "jpeg", "webp"],
)
def test_render_outputs_of_a_picture_keeps_it_as_what_it_is(
    content: str, media_type: str, draft: Draft
) -> None:
    wrapped = [content[:20] + "\n", content[20:]]

    (output,) = bundle(
        draft, {"image/png": wrapped}, {"image/png": {"width": "640", "height": 48.0}}
    )

    assert (output.kind, output.media_type) == ("image", media_type)
    assert (output.width, output.height) == (640, 48)
    assert draft.blobs[0].name.startswith("output-3-1.")


@pytest.mark.parametrize(
    ("data", "metadata", "label"),
    [
        ({"image/png": PNG, "text/plain": "<Figure size 1x1>"}, {}, ""),
        ({"image/png": PNG, "text/plain": "seats by day"}, {}, "seats by day"),
        ({"image/png": PNG}, {"image/png": {"alt": "A  line\nup"}}, "A line up"),
    ],
    ids=["figure", "plain", "alt"],
)
def test_render_outputs_of_a_picture_takes_an_alternative_text(
    data: dict[str, Any], metadata: dict[str, Any], label: str, draft: Draft
) -> None:
    assert bundle(draft, data, metadata)[0].label == label


@pytest.mark.parametrize(
    ("drawing", "kind"),
    [
        ('<svg xmlns="http://www.w3.org/2000/svg"></svg>', "image"),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C" "x.dtd">\n<!-- c -->\n<svg/>',
            "card",
        ),
        (
            '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD" "x.dtd">\n<svg >\n</svg>',
            "image",
        ),
        ("<html></html>", "card"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg></svg>', "card"),
        ('<?xml-stylesheet href="http://x.y"?><svg></svg>', "card"),
    ],
    ids=["plain", "no-end", "matplotlib", "html", "entities", "style-sheet"],
)
def test_render_outputs_of_svg_is_a_picture_or_a_card(
    drawing: str, kind: str, draft: Draft
) -> None:
    (output,) = bundle(draft, {"image/svg+xml": drawing})

    file_type = "image/svg+xml" if kind == "image" else "application/octet-stream"
    assert (output.kind, output.media_type) == (kind, file_type)
    assert draft.blobs[0].name == "output-3-1.svg"


def test_render_outputs_of_streams_joins_neighbours(draft: Draft) -> None:
    pieces = [stream("10%"), stream("\r100%\n"), stream("bad", "stderr"), stream("end")]

    assert [output.html for output in render_outputs(pieces, 1, draft)] == [
        '<pre class="text stdout">100%</pre>',
        '<pre class="text stderr">bad</pre>',
        '<pre class="text stdout">end</pre>',
    ]


def test_render_outputs_of_an_error_shows_its_traceback(draft: Draft) -> None:
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no <b>",
        "traceback": ["\x1b[31mValueError\x1b[0m", "no <b>"],
    }

    (output,) = render_outputs([error], 1, draft)

    assert output.html == (
        '<pre class="text traceback"><span class="ansi-red">ValueError</span>\nno &lt;b&gt;</pre>'
    )


def test_render_outputs_of_an_error_without_traceback_shows_its_message(draft: Draft) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": None}

    (output,) = render_outputs([error], 1, draft)

    assert output.html == '<pre class="text traceback">ValueError: no</pre>'


def test_render_outputs_of_a_long_text_offers_all_of_it(draft: Draft, blobs: BlobStore) -> None:
    text = "line\n" * 3_000

    shown, whole = render_outputs([stream(text)], 1, draft)

    assert "1,000 lines left out" in shown.html
    assert (whole.kind, whole.label, whole.media_type) == ("card", "The whole text", "text/plain")
    assert blobs.get(whole.sha256 or "") == text.removesuffix("\n").encode()


def test_render_outputs_beyond_the_limit_is_a_card(draft: Draft, blobs: BlobStore) -> None:
    output = display_data({"text/plain": "x" * (MAX_OUTPUT_BYTES + 1)})

    (card,) = render_outputs([output], 1, draft)

    assert card.label == "A very large output, not shown here"
    assert json.loads(blobs.get(card.sha256 or "")) == output


def test_render_outputs_of_a_card_keeps_the_raw_content(draft: Draft, blobs: BlobStore) -> None:
    (card,) = bundle(draft, {"text/html": "<script>x</script>"})

    assert blobs.get(card.sha256 or "") == b"<script>x</script>"
    assert draft.blobs[0].name == "output-3-1.html"
    assert card.size_bytes == 18


@pytest.mark.parametrize(
    "outputs",
    ["text", 17, [None], ["x"], [{}], [{"output_type": "display_data", "data": 1}], {"a": 1}],
    ids=["text", "number", "null", "texts", "empty", "no-bundle", "mapping"],
)
def test_render_outputs_of_malformed_ones_are_cards(outputs: Any, draft: Draft) -> None:
    assert kinds(render_outputs(outputs, 1, draft)) == ["A malformed output"]


def test_render_outputs_that_fails_costs_only_that_output(
    draft: Draft, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outputs_module, "_stream", break_down)

    rendered = render_outputs([stream("a"), display_data({"text/plain": "b"})], 1, draft)

    assert kinds(rendered) == [
        "An output that could not be rendered",
        '<pre class="text plain">b</pre>',
    ]
    assert "ZeroDivisionError" in caplog.text


def test_render_outputs_without_space_says_so(blobs: BlobStore, tmp_path: Any) -> None:
    draft = Draft(run_record(blobs, None), FullStore(str(tmp_path)))

    with pytest.raises(StorageFull):
        bundle(draft, {"image/png": PNG})
