"""Values in the text of a command; IPython itself is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.export.interpolation import expanded, quoted
from tests.helpers.properties import property_test

NAMESPACE = {"folder": "data", "n": 3, "d": {"k": ["v", "w"]}, "s": "it's"}


def by_ipython(text: str) -> str:
    from IPython.utils.text import DollarFormatter

    try:
        return DollarFormatter().vformat(text, [], dict(NAMESPACE))
    except Exception:  # noqa: BLE001 - as IPython's var_expand does
        return text


@pytest.mark.parametrize(
    ("text", "source"),
    [
        pytest.param("ls", '"ls"', id="plain"),
        pytest.param("ls {folder}", 'f"ls {folder}"', id="field"),
        pytest.param("ls $folder/$n", 'f"ls {folder}/{n}"', id="dollar"),
        pytest.param("echo $HOME", '"echo $HOME"', id="of-the-shell"),
        pytest.param("echo $HOME $n", '"echo $HOME $n"', id="one-unknown-leaves-all"),
        pytest.param("echo $$n", '"echo $n"', id="two-dollars"),
        pytest.param("awk '{print $1}' f", "\"awk '{print $1}' f\"", id="not-an-expression"),
        pytest.param("echo '$n'", "\"echo '$n'\"", id="in-single-quotes"),
        pytest.param("echo {{n}}", '"echo {n}"', id="two-braces"),
        pytest.param("x {d['k']}", "\"x \" + format(d['k'])", id="quotes-in-a-field"),
        pytest.param("x {d['k'][0:1]!r}", "\"x \" + repr(d['k'][0:1])", id="slice-and-conversion"),
    ],
)
def test_expanded_writes_an_expression(text: str, source: str) -> None:
    assert expanded(text, set(NAMESPACE)) == source
    assert eval(source, dict(NAMESPACE)) == by_ipython(text)


PIECES = st.sampled_from(
    ["{folder}", "{n + 1}", "{d['k']}", "$folder", "$n", "$$n", "$HOME", "{nope}", "{{", "}}", "'",
     '"', " ", "$", "{", "}", "\\", "a", "{s!r}", "{d['k'][0:1]}", "${n}", "{print 1}", "#"]
)  # fmt: skip


@property_test
@given(st.lists(PIECES, max_size=7).map("".join))
def test_expanded_evaluates_to_what_ipython_fills_in(text: str) -> None:
    assert eval(expanded(text, set(NAMESPACE)), dict(NAMESPACE)) == by_ipython(text)


@property_test
@given(st.text())
def test_quoted_is_a_literal_of_the_same_text(text: str) -> None:
    literal = quoted(text)

    assert eval(literal) == text
    assert "\n" not in literal
