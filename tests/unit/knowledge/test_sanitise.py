"""Cleaning, and what it says that it takes away."""

from __future__ import annotations

import time

import pytest

from nb2prod.knowledge.sanitise import Loss, Surroundings, clean, is_too_deep, loss_of

NOWHERE = Surroundings(find_image=lambda _source: None)

DATAFRAME = """<div>
<style scoped>
    .dataframe tbody tr th:only-of-type {
        vertical-align: middle;
    }
    .dataframe thead th {
        text-align: right;
    }
</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>a</th></tr></thead>
  <tbody><tr><th>0</th><td>1 &lt; 2</td></tr></tbody>
</table>
<p>1 rows × 1 columns</p>
</div>"""


@pytest.mark.parametrize(
    ("markup", "loss"),
    [
        pytest.param(DATAFRAME, Loss.NOTHING, id="dataframe"),
        pytest.param("<!-- c --><b style='color:red'>a</b>", Loss.NOTHING, id="inline-style"),
        pytest.param("<html><body><center>a</center></body></html>", Loss.NOTHING, id="neutral"),
        pytest.param("a < b and c > d", Loss.NOTHING, id="text"),
        pytest.param("<style>#T td {color: red}</style><table></table>", Loss.STYLE, id="styler"),
        pytest.param("<p style='display: none'>a</p>", Loss.STYLE, id="hidden"),
        pytest.param(
            "<style scoped>.dataframe x{}</style><style>b{}</style>", Loss.STYLE, id="second-style"
        ),
        *(
            pytest.param(markup, Loss.BEHAVIOUR, id=name)
            for name, markup in {
                "script": "<script>x</script>",
                "script-upper": "<SCRIPT src=x>",
                "iframe": "<iframe></iframe>",
                "svg": "<svg><rect/></svg>",
                "canvas": "<canvas></canvas>",
                "form": "<form><input></form>",
                "math": "<math></math>",
                "event": "<b onclick=x>a</b>",
                "event-slash": "<img/onerror=x>",
                "link": '<a href="JavaScript:x">a</a>',
                "custom": "<my-widget></my-widget>",
                "link-element": '<link rel="stylesheet" href="x">',
                "video": "<video></video>",
            }.items()
        ),
    ],
)
def test_loss_of_says_what_a_reader_would_miss(markup: str, loss: Loss) -> None:
    assert loss_of(markup) is loss


def test_clean_of_a_dataframe_keeps_the_table() -> None:
    markup, headings = clean(DATAFRAME, NOWHERE)

    assert "style" not in markup
    assert "class" not in markup
    assert "<tr><th>0</th><td>1 &lt; 2</td></tr>" in markup
    assert headings == ()


def test_clean_keeps_what_makes_a_table_readable() -> None:
    markup, _ = clean(
        '<table><tr><th scope="row" colspan="2" rowspan="1000000" align="CENTER">a</th>'
        '<td align="x" colspan="-1">b</td></tr></table>',
        NOWHERE,
    )

    assert '<th colspan="2" class="align-center" scope="row">a</th><td>b</td>' in markup


@pytest.mark.parametrize(
    "markup",
    ["<div>" * 200_000, "<div></b>" * 100_000, "<b><div></b>" * 100_000, "<section><p>" * 100_000],
    ids=["plain", "false-ends", "misnested", "mixed"],
)
def test_clean_of_deep_nesting_is_quick(markup: str) -> None:
    started = time.monotonic()

    cleaned, _ = clean(f"{markup}words", NOWHERE)

    assert is_too_deep(markup)
    assert "words" in cleaned
    assert time.monotonic() - started < 5


def test_is_too_deep_of_a_long_table_is_false() -> None:
    assert not is_too_deep("<table>" + "<tr><td>1<td><br><img src=x>2" * 5_000)
