"""What a notebook says came out."""

from __future__ import annotations

from typing import Any

import pytest

from nb2prod.execution.models import RunStatus
from nb2prod.knowledge.conclusion import shorten
from nb2prod.knowledge.render import render
from nb2prod.store.blobs import BlobStore
from tests.helpers.hostile import PNG
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, stream
from tests.helpers.runs import run_record

WON = display_data({"text/markdown": "The net **won**: 4.1 %."})
TABLE = display_data({"text/html": "<table><tr><td>a</td><td>b</td></tr></table>"})
ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["E: v"]}


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        pytest.param(
            (code("1", outputs=[WON], tags=["conclusion"]),), "The net won: 4.1 %.", id="output"
        ),
        pytest.param(
            (code("1", outputs=[stream("MAPE 4\n")], tags=["conclusion"]),), "MAPE 4", id="stream"
        ),
        pytest.param((code("1", outputs=[TABLE], tags=["conclusion"]),), "a b", id="table"),
        pytest.param((markdown("It *won*.", tags=["conclusion"]),), "It won.", id="tagged-text"),
        pytest.param(
            (markdown("## Conclusion\n\nIt won.", tags=["conclusion"]),),
            "It won.",
            id="tagged-section",
        ),
        pytest.param(
            (code("1", outputs=[WON], tags=["conclusion"]), markdown("# Conclusion\n\nOther.")),
            "The net won: 4.1 %.",
            id="tag-before-section",
        ),
        pytest.param(
            (
                code("1", outputs=[display_data({"image/png": PNG})], tags=["conclusion"]),
                markdown("# Results\n\nProse."),
            ),
            "Prose.",
            id="tag-without-words",
        ),
        pytest.param(
            (markdown("# T\n\n## Conclusions\n\nIt won.\n\n## Next\n\nx"),), "It won.", id="section"
        ),
        pytest.param((markdown("## 4. Summary:\n\nIt won."),), "It won.", id="numbered"),
        pytest.param((markdown("## Conclusion and outlook\n\nIt won."),), "It won.", id="longer"),
        pytest.param(
            (markdown("## Conclusion"), code("x"), markdown("It won.")), "It won.", id="alone"
        ),
        pytest.param((markdown("## Conclusion"), markdown("## Appendix\n\nx")), "", id="empty"),
        pytest.param(
            (markdown("# Conclusion\n\nFirst."), markdown("# Results\n\nThird.")),
            "First.",
            id="rank",
        ),
        pytest.param(
            (markdown("# Results\n\nOld."), markdown("# Results\n\nNew.")), "New.", id="last"
        ),
        pytest.param((markdown("# Summary statistics\n\nx"),), "", id="other-heading"),
        pytest.param((markdown("# Inconclusive\n\nx"),), "", id="part-of-word"),
        pytest.param((code("x"),), "", id="none"),
    ],
)
def test_conclusion_of_a_succeeded_run_is_what_the_notebook_says(
    cells: tuple[Any, ...], text: str, blobs: BlobStore
) -> None:
    notebook = notebook_json(*cells)

    document = render(notebook, run_record(blobs, notebook), blobs)

    assert document.conclusion == text
    assert bool(document.conclusion_html) == bool(text)
    assert ' id="' not in document.conclusion_html


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ((code("1", outputs=[WON], tags=["conclusion"]),), "The net won: 4.1 %."),
        ((code("1", outputs=[ERROR], tags=["conclusion"]),), ""),
        ((markdown("It won.", tags=["conclusion"]),), ""),
        ((markdown("# Conclusion\n\nIt won."),), ""),
    ],
    ids=["output", "traceback", "tagged-text", "section"],
)
def test_conclusion_of_a_failed_run_is_only_what_it_computed(
    cells: tuple[Any, ...], text: str, blobs: BlobStore
) -> None:
    notebook = notebook_json(*cells)
    record = run_record(blobs, notebook, status=RunStatus.FAILED)

    assert render(notebook, record, blobs).conclusion == text


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("One. Two. Three.", "One. Two."),
        ("No end", "No end"),
        ("MAPE is 4.1 % now. Fine!", "MAPE is 4.1 % now. Fine!"),
        (f"Short. Then {'long ' * 80}", "Short."),
        ("x" * 300, "x" * 279 + "…"),
    ],
    ids=["sentences", "phrase", "decimals", "second-too-long", "cut"],
)
def test_shorten_gives_a_sentence_or_two(text: str, short: str) -> None:
    assert shorten(text) == short
