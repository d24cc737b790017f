"""What people write for a sweep: lists, ranges, CSV, their product, and what can't be."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import InvalidInput, ParameterInvalid, ParameterUnknown, SweepInvalid
from nb2prod.jobs.sweep_values import MAX_RUNS, SweepPlan, plan_sweep
from nb2prod.notebook.parameters import Parameter, ParameterType
from tests.helpers.properties import property_test

T = ParameterType

MARKET = Parameter("market", T.STRING, "JFK-DL")
ALPHA = Parameter("alpha", T.FLOAT, 0.1)
DAYS = Parameter("days", T.INTEGER, 7, minimum=-1000)
STRICT = Parameter("strict", T.BOOLEAN, default=True)
LAGS = Parameter("lags", T.LIST, [7], item_type=T.INTEGER)
OPTIONS = Parameter("options", T.DICT, {})
MODEL = Parameter("model", T.STRING, "lasso", choices=("lasso", "ridge"))
LIMIT = Parameter("limit", T.INTEGER, None, is_optional=True)
ALL = (MARKET, ALPHA, DAYS, STRICT, LAGS, OPTIONS, MODEL, LIMIT)


def planned(csv_text: str = "", **axes: object) -> SweepPlan:
    return plan_sweep(ALL, axes, csv_text)


def values(name: str, asked: object) -> list[Any]:
    """The values of a sweep over one parameter."""
    return [value for (value,) in planned("", **{name: asked}).positions]


def refusal(csv_text: str = "", **axes: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        planned(csv_text, **axes)
    return caught.value


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        pytest.param("market", "JFK-DL", ["JFK-DL"], id="one"),
        pytest.param("market", " JFK-DL ,LGA-AA", ["JFK-DL", "LGA-AA"], id="list"),
        pytest.param("market", '"New York, NY", b', ["New York, NY", "b"], id="comma-in-quotes"),
        pytest.param("market", '\'say "a"\', "it\'s"', ['say "a"', "it's"], id="other-quotes"),
        pytest.param("market", "\"two \"\" marks\", 'it''s'", ['two " marks', "it's"], id="twice"),
        pytest.param("market", '"", a', ["", "a"], id="empty-text"),
        pytest.param("market", "5 o'clock, 1..3", ["5 o'clock", "1..3"], id="text-is-no-range"),
        pytest.param("market", ["a, b", "c"], ["a, b", "c"], id="values-of-a-program"),
        pytest.param("market", '["a, b", "c"]', ["a, b", "c"], id="json"),
        pytest.param("market", "[a, b", ["[a", "b"], id="no-json"),
        pytest.param("alpha", "0.1, 1e-3,5", [0.1, 0.001, 5.0], id="numbers"),
        pytest.param("alpha", "0.1..0.5 step 0.1", [0.1, 0.2, 0.3, 0.4, 0.5], id="range"),
        pytest.param("alpha", "0 .. 1 step 0.3", [0.0, 0.3, 0.6, 0.9], id="end-not-reached"),
        pytest.param("alpha", "0.3..0.1 step -0.1", [0.3, 0.2, 0.1], id="range-down"),
        pytest.param("alpha", "2..2 step 5", [2.0], id="range-of-one"),
        pytest.param("alpha", "1e-4..1e-1 log 4", [0.0001, 0.001, 0.01, 0.1], id="logarithmic"),
        pytest.param("alpha", "100..1 log 3", [100.0, 10.0, 1.0], id="logarithmic-down"),
        pytest.param("alpha", "9, 1..2 step 0.5, 7", [9.0, 1.0, 1.5, 2.0, 7.0], id="mixed"),
        pytest.param("alpha", "[0.1, 0.2]", [0.1, 0.2], id="json-numbers"),
        pytest.param("alpha", 0.5, [0.5], id="number-of-a-program"),
        pytest.param("alpha", "inf, -inf", [math.inf, -math.inf], id="infinite"),
        pytest.param("days", "1..5", [1, 2, 3, 4, 5], id="whole-by-one"),
        pytest.param("days", "2..-1", [2, 1, 0, -1], id="whole-down"),
        pytest.param("days", "10..30 step 10, 5", [10, 20, 30, 5], id="whole-by-ten"),
        pytest.param("days", "1..1000 log 4", [1, 10, 100, 1000], id="whole-logarithmic"),
        pytest.param("days", [1, "2", 3.0], [1, 2, 3], id="whole-read-by-type"),
        pytest.param("strict", "yes, no", [True, False], id="booleans"),
        pytest.param("strict", [True, False], [True, False], id="booleans-of-a-program"),
        pytest.param("lags", "[1, 2], [3]", [[1, 2], [3]], id="lists"),
        pytest.param("lags", [[1, 2], "[3]"], [[1, 2], [3]], id="lists-of-a-program"),
        pytest.param(
            "options", '{"a": "x, }"}, {"a": 2}', [{"a": "x, }"}, {"a": 2}], id="dictionaries"
        ),
        pytest.param("options", {"a": 1}, [{"a": 1}], id="dictionary-of-a-program"),
        pytest.param("limit", "none, 5", [None, 5], id="optional"),
        pytest.param("limit", [None, 5], [None, 5], id="optional-of-a-program"),
    ],
)
def test_axis_is_read_by_the_parameters_type(
    name: str, asked: object, expected: list[object]
) -> None:
    found = values(name, asked)

    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_sweep_is_the_product_with_the_last_axis_fastest() -> None:
    found = planned(market="a, b", alpha="0.1, 0.2", days="7")

    assert found.names == ("market", "alpha", "days")
    assert found.varied == ("market", "alpha")
    assert found.positions == (("a", 0.1, 7), ("a", 0.2, 7), ("b", 0.1, 7), ("b", 0.2, 7))


def test_sweep_of_one_run_varies_what_was_given() -> None:
    assert planned(market="a", days="7").varied == ("market", "days")


def test_csv_gives_lines_and_is_multiplied_with_the_axes() -> None:
    found = planned('market,alpha\n"New York, NY",0.1\nb,0.2\n', days="1..2")

    assert found.names == ("market", "alpha", "days")
    assert found.positions == (
        ("New York, NY", 0.1, 1),
        ("New York, NY", 0.1, 2),
        ("b", 0.2, 1),
        ("b", 0.2, 2),
    )


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffmarket,alpha\r\na,0.1\r\n",
        "market, alpha\na, 0.1",
        "market;alpha\na;0.1\n\n",
        "market\talpha\na\t0.1",
        "\n market ,alpha\na,0.1",
    ],
    ids=["byte-order-mark", "spaces", "semicolons", "tabs", "blank-line-first"],
)
def test_csv_is_read_as_spreadsheets_write_it(text: str) -> None:
    assert planned(text).positions == (("a", 0.1),)


@pytest.mark.parametrize(
    ("axes", "parameter", "said"),
    [
        ({"markets": "a"}, "markets", "Did you mean market?"),
        ({"alpha": "0.1, x"}, "alpha", "alpha is float; 'x' is not: write a number."),
        ({"alpha": [0.1, True]}, "alpha", "True is not"),
        ({"model": "lasso, tree"}, "model", "can't be 'tree'. Choose one of"),
        ({"days": "-2000..0 step 500"}, "days", "can't be -2000: it must be in [-1000, ]"),
        ({"lags": "[1, x]"}, "lags", "write it as JSON"),
        ({"lags": [1, 2]}, "lags", "write a list"),
    ],
    ids=str,
)
def test_value_that_is_not_the_parameters_is_refused(
    axes: dict[str, object], parameter: str, said: str
) -> None:
    error = refusal("", **axes)

    assert isinstance(error, ParameterInvalid | ParameterUnknown)
    assert said in error.message
    assert error.detail["parameter"] == parameter


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({}, "A sweep needs values for at least one parameter."),
        ({"market": ""}, "Parameter market has no values"),
        ({"market": []}, "Parameter market has no values"),
        ({"market": "a,,b"}, "beside a comma there is no value"),
        ({"market": "a, "}, "beside a comma there is no value"),
        ({"lags": "[1],"}, "beside a comma there is no value"),
        ({"market": "'tis"}, "a quotation mark before a value needs another one"),
        ({"market": '"a" b, c'}, "a quotation mark before a value needs another one"),
        ({"market": "a, b, a"}, 'Parameter market has "a" twice'),
        ({"alpha": "1, 1.0"}, "Parameter alpha has 1.0 twice"),
        ({"alpha": "0..1 step 0.5, 1"}, "Parameter alpha has 1.0 twice"),
        ({"days": "1..3 log 9"}, "Parameter days has 1 twice"),
        ({"alpha": "0.1..0.5"}, "it needs a step. Write it as in `0.1..0.5 step 0.1`"),
        ({"alpha": "0.1..0.5 step 0"}, "with 0 one never comes to the end"),
        ({"alpha": "0.1..0.5 step -0.1"}, "with -0.1 one never comes to the end"),
        ({"alpha": "0.1..0.5 by 0.1"}, "'by' is neither `step` nor `log`"),
        ({"alpha": "a..0.5 step 0.1"}, "'a' is no number for it"),
        ({"alpha": "0..inf step 1"}, "'inf' is no number for it"),
        ({"alpha": "0..1e999999999 step 1"}, "'1e999999999' is no number for it"),
        ({"days": "1..2.5"}, "'2.5' is no whole number for it. Write it as in `1..10 step 2`"),
        ({"days": "1..9 step 0.5"}, "'0.5' is no whole number for it"),
        ({"alpha": "0..1 log 3"}, "for `log` both ends must be above 0"),
        ({"alpha": "1..9 log 1"}, "and the count at least 2"),
    ],
    ids=str,
)
def test_sweep_that_can_not_be_is_refused(axes: dict[str, object], said: str) -> None:
    error = refusal("", **axes)

    assert isinstance(error, SweepInvalid)
    assert said in error.message


@pytest.mark.parametrize(
    ("text", "kind", "line", "said"),
    [
        ("market,alhpa\na,1", ParameterUnknown, None, "Line 1 of the CSV: There is no parameter"),
        ("market,market\na,b", SweepInvalid, 1, "Line 1 of the CSV has market twice"),
        ("market,alpha", SweepInvalid, 1, "no lines below its first one"),
        ("market,alpha\na,1\nb", SweepInvalid, 3, "Line 3 of the CSV has 1 value, but"),
        ("market,alpha\na,1\nb,x", ParameterInvalid, 3, "Line 3 of the CSV: Parameter alpha is"),
        (
            "market,alpha\na,1\n\na,1.0",
            SweepInvalid,
            4,
            "Line 4 of the CSV says the same as line 2",
        ),
        ('market,alpha\n"a"b,1', SweepInvalid, None, "Line 2 of the CSV is none"),
        ("days,alpha\n1,1", SweepInvalid, None, "The values of days are given twice"),
    ],
    ids=str,
)
def test_csv_that_can_not_be_is_refused_by_its_line(
    text: str, kind: type[InvalidInput], line: int | None, said: str
) -> None:
    error = refusal(text, days="7")

    assert isinstance(error, kind)
    assert said in error.message
    assert error.detail.get("line") == line


@pytest.mark.parametrize(
    ("axes", "count", "said"),
    [
        ({"days": "1..1000000"}, 10**6, "This sweep would be 1,000,000 runs; one may have 10,000."),
        ({"days": "1..10001"}, 10_001, "10,001 runs"),
        ({"days": "1..1000", "alpha": "1..1000 step 1"}, 10**6, "1,000 × 1,000 = 1,000,000 runs"),
        ({"alpha": "0..1e300 step 1e-300"}, None, "would be about 10^600 runs"),
        ({"days": [*range(10_001)]}, 10_001, "10,001 runs"),
    ],
    ids=["million", "one-too-many", "product", "beyond-counting", "values"],
)
def test_sweep_of_too_many_is_refused_before_it_is_expanded(
    axes: dict[str, object], count: int | None, said: str
) -> None:
    error = refusal("", **axes)

    assert said in error.message
    assert error.detail == {"count": count, "limit": MAX_RUNS}


def test_csv_counts_as_one_factor() -> None:
    lines = "\n".join(["market", *(f"m{number}" for number in range(101))])

    assert "101 × 100 = 10,100 runs" in refusal(lines, days="1..100").message
    assert len(planned(lines, days="1..99").positions) == 9999


@given(
    first=st.integers(-999, 999),
    step=st.integers(1, 99),
    count=st.integers(1, 60),
    places=st.integers(0, 6),
)
@property_test
def test_range_has_exactly_the_numbers_that_one_would_write(
    first: int, step: int, count: int, places: int
) -> None:
    def written(number: int) -> str:
        return f"{number}e-{places}"

    numbers = [first + place * step for place in range(count)]
    text = f"{written(numbers[0])}..{written(numbers[-1])} step {written(step)}"

    assert values("alpha", text) == [float(written(number)) for number in numbers]


@given(first=st.floats(1e-6, 1e6), last=st.floats(1e-6, 1e6), count=st.integers(2, 30))
@property_test
def test_logarithmic_range_keeps_its_ends_and_one_ratio(
    first: float, last: float, count: int
) -> None:
    if math.isclose(first, last, rel_tol=1e-9):
        return
    found = values("alpha", f"{first!r}..{last!r} log {count}")

    assert (found[0], found[-1], len(found)) == (first, last, count)
    ratio = (last / first) ** (1 / (count - 1))
    for one, following in pairwise(found):
        assert math.isclose(following / one, ratio, rel_tol=1e-9)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, unique=True))
@property_test
def test_texts_in_quotes_are_read_back(texts: list[str]) -> None:
    written = ", ".join('"' + text.replace('"', '""') + '"' for text in texts)

    assert values("market", written) == texts


@given(st.lists(st.lists(st.integers(), max_size=4), min_size=1, unique_by=str))
@property_test
def test_lists_are_read_back(lists: list[list[int]]) -> None:
    assert values("lags", ", ".join(map(json.dumps, lists))) == lists


@given(
    text=st.text(alphabet=st.sampled_from("0123456789.e-+ ,'\"[]{}stepglo\n;ax\\"), max_size=60),
    name=st.sampled_from([parameter.name for parameter in ALL]),
)
@property_test
def test_any_text_is_values_or_a_refusal(text: str, name: str) -> None:
    for csv_text, axes in (("", {name: text}), (f"{name}\n{text}", {})):
        try:
            found = plan_sweep(ALL, axes, csv_text)
        except InvalidInput:
            continue
        # What was read is valid input again, and stays as it is.
        again = plan_sweep(ALL, {name: [value for (value,) in found.positions]})
        assert json.dumps(again.positions) == json.dumps(found.positions)
