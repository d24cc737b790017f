"""What a person types, as a query; and what is searched."""

from __future__ import annotations

import pytest

from nb2prod.knowledge.documents import search_text
from nb2prod.knowledge.render import render
from nb2prod.knowledge.search_fts5 import match_clause
from nb2prod.knowledge.search_terms import MAX_WORDS
from nb2prod.store.blobs import BlobStore
from tests.helpers.notebooks import code, display_data, markdown, notebook_json, stream
from tests.helpers.runs import run_record


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("lasso", '"lasso" *'),
        ("lasso jfk", '"lasso" "jfk" *'),
        ("lasso ", '"lasso"'),
        ('"mean error"', '"mean error"'),
        ('a "mean error', '"a" "mean error"'),
        ("a AND b OR NOT c", '"a" "AND" "b" "OR" "NOT" "c" *'),
        ("title:x (y) -z ^w {u}", '"title:x" "(y)" "-z" "^w" "{u}" *'),
        ("x - y", '"x" "y" *'),
        ("NEAR(a b, 2)", '"NEAR(a" "b," "2)" *'),
        ("", None),
        ("*", None),
        ('""', None),
        ("\x00\ue000x", '"\ufffdx" *'),
        (" ".join("x" * 100), " ".join(['"x"'] * MAX_WORDS) + " *"),
    ],
)
def test_match_clause_gives_no_meaning_to_query_syntax(text: str, clause: str | None) -> None:
    assert match_clause(text) == clause


def test_search_text_has_the_words_that_a_reader_sees(blobs: BlobStore) -> None:
    notebook = notebook_json(
        markdown("# Seat **demand** & more\n\n|a|b|\n|-|-|\n|one|two|"),
        code(
            "fit('lasso')",
            outputs=[
                stream("\x1b[31mMAPE\x1b[0m 4"),
                display_data({"text/html": "<table><tr><td>JFK</td><td>DL</td></tr></table>"}),
            ],
        ),
    )

    text = search_text(render(notebook, run_record(blobs, notebook), blobs))

    assert text.title == "Seat demand & more"
    assert text.markdown == "Seat demand & more a b one two"
    assert text.code == "fit('lasso')"
    assert text.outputs == "MAPE 4\nJFK DL"
