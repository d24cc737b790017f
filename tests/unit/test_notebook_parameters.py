"""Parameters: from the syntax tree, values checked by type, written back as source."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import ParameterInvalid, ParameterUnknown
from nb2prod.notebook.parameter_python import PYTHON_TYPES
from nb2prod.notebook.parameters import (
    Parameter,
    ParameterType,
    find_parameters,
    read_values,
    to_source,
)
from tests.helpers.notebooks import code, markdown, notebook, parameters
from tests.helpers.properties import property_test

T = ParameterType


def scan(source: str) -> tuple[list[Parameter], dict[str, str]]:
    """The parameters of a cell, and name → reason of what is none."""
    found = find_parameters(notebook(parameters(source)))
    return list(found.parameters), {entry.name: entry.why for entry in found.skipped}


def one(source: str) -> Parameter:
    (parameter,), skipped = scan(source)
    assert skipped == {}
    return parameter


@pytest.mark.parametrize(
    ("source", "kind", "default"),
    [
        pytest.param("x = 3", T.INTEGER, 3, id="integer"),
        pytest.param("x = -3", T.INTEGER, -3, id="negative"),
        pytest.param("x = -2.5e-3", T.FLOAT, -0.0025, id="float"),
        pytest.param("x: float = 1", T.FLOAT, 1.0, id="annotation-wins"),
        pytest.param("x = True", T.BOOLEAN, True, id="boolean"),
        pytest.param('x = "a#b"', T.STRING, "a#b", id="hash-in-text"),
        pytest.param('x = """a\nb"""', T.STRING, "a\nb", id="text-over-lines"),
        pytest.param("x = [[1, 2], [3, -4]]", T.LIST, [[1, 2], [3, -4]], id="nested-list"),
        pytest.param('x = {"a": [1, None]}', T.DICT, {"a": [1, None]}, id="dict"),
        pytest.param("x: int | None = None", T.INTEGER, None, id="optional"),
        pytest.param("x: Optional[int] = 4", T.INTEGER, 4, id="typing-optional"),
        pytest.param("x: 'Union[None, float]' = 4", T.FLOAT, 4.0, id="annotation-in-quotes"),
        pytest.param("x = 1e-3", T.FLOAT, 0.001, id="exponent"),
        pytest.param("x = 1_000", T.INTEGER, 1000, id="underscore"),
        pytest.param("x = +1", T.INTEGER, 1, id="plus"),
        pytest.param("import numpy as n\nx = n.inf", T.FLOAT, math.inf, id="numpys-infinity"),
        pytest.param("x = date(2024, month=1, day=31)", T.DATE, "2024-01-31", id="date"),
        pytest.param("x = Path('a', 'b') / 'c'", T.PATH, "a/b/c", id="path"),
        pytest.param("x = 'a' / Path('b')", T.PATH, "a/b", id="path-behind-a-text"),
        pytest.param("import pathlib as p\nx = p.Path()", T.PATH, ".", id="path-of-nothing"),
        pytest.param("x: typing.Sequence[int] = [1]", T.LIST, [1], id="sequence"),
        pytest.param("x: Any = 3", T.INTEGER, 3, id="any"),
        pytest.param("x: typing.List[str] = []", T.LIST, [], id="typing-list"),
        pytest.param("x: Annotated[int, 'days'] = 4", T.INTEGER, 4, id="annotated"),
        pytest.param("x = 4  # type: float", T.FLOAT, 4.0, id="type-comment"),
        pytest.param("x = 1; x = 2", T.INTEGER, 2, id="last-one-counts"),
        pytest.param("%matplotlib inline\nx = 5\n!ls", T.INTEGER, 5, id="beside-magics"),
    ],
)
def test_find_parameters_reads_type_and_default(source: str, kind: T, default: object) -> None:
    parameter = one(source)

    assert (parameter.name, parameter.type, parameter.default) == ("x", kind, default)
    assert type(parameter.default) is type(default)


def test_find_parameters_of_several_targets_gives_each() -> None:
    found, skipped = scan("a, (b, c) = 1, (2.5, 'x')\nd = e = True")

    assert {parameter.name: parameter.default for parameter in found} == {
        "a": 1,
        "b": 2.5,
        "c": "x",
        "d": True,
        "e": True,
    }
    assert skipped == {}


@pytest.mark.parametrize(
    ("source", "help_text"),
    [
        pytest.param("x = 1  # days ahead", "days ahead", id="plain"),
        pytest.param('x = "a#b"  # not #b', "not #b", id="behind-a-hash-in-a-text"),
        pytest.param("x = [\n    1,\n]  # days", "days", id="behind-the-last-line"),
        pytest.param("x = [  # days\n    1,\n]", "days", id="behind-the-first-line"),
        pytest.param("x = 1  # type: int  # days", "days", id="behind-a-type-comment"),
        pytest.param("x = 1  # days  # noqa: E501", "days", id="without-pragmas"),
        pytest.param("x = 1  # type: ignore", "", id="only-a-pragma"),
        pytest.param("x = 1  #@param {type: 'slider'}", "", id="only-a-form-of-another-tool"),
        pytest.param("x = 1  # type: int | None  # days", "days", id="behind-a-longer-type"),
        pytest.param("x = 1  # type: int days ahead", "days ahead", id="in-one-with-the-type"),
        pytest.param("x: float = 1  # type: float days", "days", id="with-type-and-annotation"),
        pytest.param("x: Annotated[int, 'days'] = 1", "days", id="annotated"),
        pytest.param("x: Annotated[int, 'weeks'] = 1  # days", "days", id="comment-over-annotated"),
        pytest.param("# days\n# ahead\nx = 1", "days ahead", id="above"),
        pytest.param("# above\nx = 1  # days", "days", id="behind-wins"),
        pytest.param("# days\n\nx = 1", "", id="above-with-a-gap"),
        pytest.param("# ---------\n# days\nx = 1", "days", id="above-with-a-line"),
        pytest.param("# Parameters\nx = 1", "", id="headline"),
        pytest.param("# x = 2\nx = 1", "", id="commented-out"),
    ],
)
def test_find_parameters_takes_the_comment_as_help(source: str, help_text: str) -> None:
    assert one(source).help == help_text


def test_find_parameters_of_two_on_a_line_gives_the_comment_to_the_last() -> None:
    found, _ = scan("x = 1; y = 2  # days")

    assert [parameter.help for parameter in found] == ["", "days"]


def test_find_parameters_of_several_below_a_comment_takes_it_for_a_headline() -> None:
    found, _ = scan("# Of the model\nx = 1\ny = 2\n# days\nz = 3\n")

    assert [parameter.help for parameter in found] == ["", "", "days"]


def test_find_parameters_of_a_literal_gives_choices() -> None:
    market = one('market: Literal["a", "b"] = "b"')
    depth = one("depth: typing.Literal[-1, 3, None] = None")

    assert (market.type, market.choices, market.is_optional) == (T.STRING, ("a", "b"), False)
    assert (depth.type, depth.choices, depth.is_optional) == (T.INTEGER, (-1, 3), True)


@pytest.mark.parametrize(
    ("source", "item_type"),
    [
        pytest.param("x: list[str] = []", T.STRING, id="annotated"),
        pytest.param("x = [1, 2.5]", T.FLOAT, id="numbers"),
        pytest.param("x = [1, 'a']", None, id="mixed"),
        pytest.param("x = []", None, id="empty"),
    ],
)
def test_find_parameters_of_a_list_knows_its_items(source: str, item_type: T | None) -> None:
    assert one(source).item_type is item_type


@pytest.mark.parametrize(
    ("source", "why"),
    [
        pytest.param("x = f()", "computed", id="call"),
        pytest.param("x = 1 + 1", "computed", id="arithmetic"),
        pytest.param("x = !ls", "computed", id="shell"),
        pytest.param("x = None", "type", id="none-without-annotation"),
        pytest.param("x: int", "no default", id="annotation-only"),
        pytest.param("x = (1, 2)", "tuple", id="tuple"),
        pytest.param("x = b'a'", "bytes", id="bytes"),
        pytest.param("x = {1: 2}", "keys", id="keys-that-are-no-texts"),
        pytest.param("x: np.ndarray = 3", "np.ndarray", id="foreign-type"),
        pytest.param("x: int | str = 3", "int | str", id="union"),
        pytest.param('x: int = "3"', "text", id="default-against-type"),
        pytest.param('x: Literal["a"] = "b"', "b", id="default-is-no-choice"),
        pytest.param("x = 1\nx += 1", "changed", id="changed"),
        pytest.param("if True:\n    x = 1", "block", id="in-a-block"),
        pytest.param("x, *y = 1, 2", "unpacked", id="starred"),
        pytest.param("x = {1, 2}", "set has no JSON form; write a list", id="set"),
        pytest.param("x = 1j", "complex has no JSON form", id="complex"),
        pytest.param("x = 1 + 2j", "computed", id="complex-sum"),
        pytest.param("x = ...", "ellipsis has no JSON form", id="ellipsis"),
        pytest.param("x = f'{y}.csv'", "f-string is computed", id="f-string"),
        pytest.param("x = np.float64(0.5)", "`np.float64(0.5)` gives", id="numpy-scalar"),
        pytest.param("x = range(3)", "write a list", id="range"),
        pytest.param("x = int(os.environ.get('N', 3))", "environment", id="environment-get"),
        pytest.param("x = os.environ['N']", "environment", id="environment"),
        pytest.param("from os import getenv\nx = getenv('N')", "environment", id="getenv"),
        pytest.param("x = date.today()", "time of the run", id="today"),
        pytest.param("x = str(dt.datetime.now())", "`str(dt.datetime", id="now-of-an-unknown-name"),
        pytest.param("import datetime as dt\nx = dt.datetime.now()", "time of the run", id="now"),
        pytest.param("x = Path.home() / 'a.csv'", "depends on the machine", id="home"),
        pytest.param("x = Path(__file__).parent", "no `__file__`", id="own-file"),
        pytest.param("x = pd.Timestamp('2024-01-31')", "datetime(2024, 1, 31)", id="timestamp"),
        pytest.param("x = date(2024, 2, 30)", "fails: day", id="no-such-day"),
        pytest.param("x = date('2024-01-31')", "fails: ", id="not-a-date"),
        pytest.param("from mine import date\nx = date(1, 1, 1)", "computed", id="another-date"),
        pytest.param("x: date = '2024-01-31'", "a text; write it as in", id="text-for-a-date"),
        pytest.param("x: Path = 'a.csv'", '`data = Path("data")', id="text-for-a-path"),
        pytest.param("x: list[date] = ['2024-01-31']", "holds a text", id="texts-for-dates"),
        pytest.param("x: str = Path('a')", "its default is a path", id="path-for-a-text"),
        pytest.param("x: datetime = date(2024, 1, 31)", "is a date;", id="date-for-a-moment"),
        pytest.param("x = [date(2024, 1, 31), 'a']", "date is not a JSON value", id="mixed"),
        pytest.param("x = {'a': Path('b')}", "not a JSON value", id="path-in-a-dict"),
        pytest.param("x: Literal['a', 1] = 'a'", "Literal", id="choices-of-two-types"),
        pytest.param("x: list[int | None] = [1]", "list[int | None]", id="optional-items"),
        pytest.param(f"x = {list(range(3000))}", "keep it in a file", id="large-list"),
        pytest.param(f"x = {dict.fromkeys(map(str, range(3000)), 1)}", "in a file", id="large"),
    ],
)
def test_find_parameters_of_what_is_none_says_why(source: str, why: str) -> None:
    found, skipped = scan(source)

    assert found == []
    assert why in skipped["x"]


def test_find_parameters_of_broken_python_says_where() -> None:
    scanned = find_parameters(notebook(parameters("a = 1\nb = = 2")))

    assert scanned.parameters == ()
    assert [(entry.name, entry.line) for entry in scanned.skipped] == [("", 2)]


def test_find_parameters_takes_the_first_tagged_code_cell() -> None:
    scanned = find_parameters(
        notebook(markdown("x = 0", tags=["parameters"]), code("y = 1"), parameters("z = 2"))
    )

    assert scanned.cell_number == 3
    assert [parameter.name for parameter in scanned.parameters] == ["z"]
    assert find_parameters(notebook(code("y = 1"))).cell_number is None


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        pytest.param(T.FLOAT, "0.2", 0.2, id="float-text"),
        pytest.param(T.FLOAT, 1, 1.0, id="float-from-int"),
        pytest.param(T.FLOAT, "inf", math.inf, id="float-infinite"),
        pytest.param(T.INTEGER, " 7 ", 7, id="int-text"),
        pytest.param(T.INTEGER, 7.0, 7, id="int-from-whole-float"),
        pytest.param(T.BOOLEAN, "Yes", True, id="bool-yes"),
        pytest.param(T.BOOLEAN, "0", False, id="bool-zero-text"),
        pytest.param(T.BOOLEAN, 1, True, id="bool-one"),
        pytest.param(T.STRING, "01", "01", id="text-kept"),
        pytest.param(T.LIST, "[1, null]", [1, None], id="list-json"),
        pytest.param(T.LIST, "['a', None]", ["a", None], id="list-python"),
        pytest.param(T.DICT, '{"a": 1}', {"a": 1}, id="dict-json"),
    ],
)
def test_read_values_reads_text_by_type(kind: T, given: object, read: object) -> None:
    result = read_values([Parameter("x", kind, None)], {"x": given})["x"]

    assert result == read
    assert type(result) is type(read)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        pytest.param(T.INTEGER, "1.5", id="int-fraction-text"),
        pytest.param(T.INTEGER, 1.5, id="int-fraction"),
        pytest.param(T.INTEGER, math.nan, id="int-nan"),
        pytest.param(T.INTEGER, math.inf, id="int-infinite"),
        pytest.param(T.INTEGER, True, id="int-bool"),
        pytest.param(T.INTEGER, None, id="int-none"),
        pytest.param(T.INTEGER, "9" * 5000, id="int-too-long"),
        pytest.param(T.FLOAT, "much", id="float-word"),
        pytest.param(T.FLOAT, False, id="float-bool"),
        pytest.param(T.FLOAT, 10**400, id="float-too-large"),
        pytest.param(T.BOOLEAN, "on", id="bool-other-word"),
        pytest.param(T.BOOLEAN, 2, id="bool-other-number"),
        pytest.param(T.BOOLEAN, 1.0, id="bool-float"),
        pytest.param(T.LIST, "a,b", id="list-words"),
        pytest.param(T.LIST, "{}", id="list-dict"),
        pytest.param(T.LIST, [{1, 2}], id="list-of-a-set"),
        pytest.param(T.DICT, {1: 2}, id="dict-keys"),
        pytest.param(T.DICT, "[" * 100_000, id="dict-deep"),
    ],
)
def test_read_values_of_a_wrong_value_names_the_parameter(kind: T, given: object) -> None:
    with pytest.raises(ParameterInvalid, match="Parameter x is"):
        read_values([Parameter("x", kind, None)], {"x": given})


def test_read_values_of_a_number_for_a_text_points_to_papermills_option() -> None:
    with pytest.raises(ParameterInvalid, match=r"arrived as int.*`-r NAME VALUE`"):
        read_values([Parameter("market", T.STRING, "")], {"market": 1})


def test_read_values_of_an_unknown_name_tells_the_nearest() -> None:
    known = [Parameter("market", T.STRING, ""), Parameter("alpha", T.FLOAT, 1.0)]

    with pytest.raises(ParameterUnknown, match="Did you mean market"):
        read_values(known, {"markt": "x"})
    with pytest.raises(ParameterUnknown, match="It has market, alpha"):
        read_values(known, {"zzz": 1})


def test_read_values_of_optionals_takes_none() -> None:
    known = [
        Parameter("n", T.INTEGER, 1, is_optional=True),
        Parameter("s", T.STRING, "", is_optional=True),
    ]

    assert read_values(known, {"n": "none", "s": None}) == {"n": None, "s": None}
    assert read_values(known, {"n": None, "s": "none"}) == {"n": None, "s": "none"}


def test_read_values_of_no_choice_lists_the_choices() -> None:
    market = Parameter("market", T.STRING, "a", choices=("a", "b"))

    with pytest.raises(ParameterInvalid, match='"a", "b"'):
        read_values([market], {"market": "c"})


def test_read_values_of_items_checks_each() -> None:
    days = Parameter("days", T.LIST, [], item_type=T.INTEGER)

    assert read_values([days], {"days": '["7", 14]'}) == {"days": [7, 14]}
    with pytest.raises(ParameterInvalid):
        read_values([days], {"days": [1.5]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda items: (
        st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=3), items, max_size=3)
    ),
    max_leaves=4,
)
VALUES = {
    T.INTEGER: st.integers(),
    T.FLOAT: st.floats(allow_nan=False),
    T.BOOLEAN: st.booleans(),
    T.STRING: st.text(),
    T.DATE: st.dates().map(date.isoformat),
    T.DATETIME: st.datetimes(timezones=st.none() | st.just(UTC)).map(datetime.isoformat),
    T.PATH: (
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)
        .map(PurePosixPath)
        .map(str)
    ),
    T.LIST: st.lists(JSON, max_size=3),
    T.DICT: st.dictionaries(st.text(max_size=3), JSON, max_size=3),
}
JSON_OF: dict[type, Callable[[Any], object]] = {
    date: date.isoformat,
    datetime: datetime.isoformat,
    type(Path()): Path.as_posix,
}


def kept(value: object) -> object:
    return value


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[list[Parameter], dict[str, object]]:
    kinds = draw(st.lists(st.sampled_from(list(T)), max_size=5))
    known = [
        Parameter(f"p{number}", kind, None, is_optional=draw(st.booleans()))
        for number, kind in enumerate(kinds)
    ]
    values: dict[str, object] = {}
    for parameter in known:
        strategy: st.SearchStrategy[Any] = VALUES[parameter.type]
        values[parameter.name] = draw(strategy | st.none() if parameter.is_optional else strategy)
    return known, values


@property_test
@given(typed_values())
def test_to_source_executed_gives_the_same_values(
    typed: tuple[list[Parameter], dict[str, object]],
) -> None:
    known, values = typed
    namespace: dict[str, object] = {}

    exec(to_source(known, values), namespace)

    got = {name: JSON_OF.get(type(namespace[name]), kept)(namespace[name]) for name in values}
    assert got == values
    assert [type(value) for value in got.values()] == [type(value) for value in values.values()]
    classes = {kind: row.literal for kind, row in PYTHON_TYPES.items()} | {T.PATH: Path}
    for parameter in known:
        value = namespace[parameter.name]
        assert value is None or isinstance(value, classes[parameter.type])


@property_test
@given(typed_values())
def test_to_source_read_again_gives_the_same_parameters(
    typed: tuple[list[Parameter], dict[str, object]],
) -> None:
    known, values = typed
    found, skipped = scan(to_source(known, values))

    assert skipped == {}
    assert {parameter.name: parameter.default for parameter in found} == values
    assert [parameter.type for parameter in found] == [parameter.type for parameter in known]


@property_test
@given(typed_values())
def test_read_values_twice_changes_nothing(
    typed: tuple[list[Parameter], dict[str, object]],
) -> None:
    known, values = typed
    once = read_values(known, values)

    assert once == values
    assert read_values(known, once) == once


def test_to_source_writes_one_typed_assignment_a_line() -> None:
    known = [
        Parameter("market", T.STRING, ""),
        Parameter("alpha", T.FLOAT, 1.0),
        Parameter("n", T.INTEGER, None, is_optional=True),
        Parameter("days", T.LIST, [], item_type=T.INTEGER),
    ]
    values = {"market": 'say "hi"', "alpha": math.nan, "n": None, "days": [7, 14]}

    assert to_source(known, values).split("\n") == [
        "market: str = 'say \"hi\"'",
        'alpha: float = float("nan")',
        'n: "int | None" = None',
        "days: list = [7, 14]",
    ]


@pytest.mark.parametrize(
    ("source", "low", "high", "help_text"),
    [
        pytest.param("x = 0.2  # weight [0, 1]", 0.0, 1.0, "weight", id="float"),
        pytest.param("x = 7  # days, [1, ]", 1.0, None, "days", id="no-maximum"),
        pytest.param("x = -3  # [,-1e-3]", None, -0.001, "", id="no-minimum"),
        pytest.param("x: int | None = None  # n [1, 9]", 1.0, 9.0, "n", id="optional"),
        pytest.param("x = 5  # of [0, 1]", None, None, "of [0, 1]", id="default-beyond-it"),
        pytest.param("x = 'a'  # of [0, 1]", None, None, "of [0, 1]", id="text"),
        pytest.param("x = 0  # see [0, 1] above", None, None, "see [0, 1] above", id="inside"),
    ],
)
def test_find_parameters_reads_a_range_at_the_end_of_a_numbers_comment(
    source: str, low: float | None, high: float | None, help_text: str
) -> None:
    found = one(source)

    assert (found.minimum, found.maximum, found.help) == (low, high, help_text)


@pytest.mark.parametrize("given", [-0.1, 1.1, math.nan, math.inf, "2"])
def test_read_values_beyond_the_range_says_the_range(given: object) -> None:
    known = [Parameter("alpha", T.FLOAT, 0.2, minimum=0, maximum=1)]

    with pytest.raises(ParameterInvalid, match=r"alpha can't be .* in \[0, 1\]") as error:
        read_values(known, {"alpha": given})

    assert error.value.detail == {"parameter": "alpha"}


@pytest.mark.parametrize("given", [0, 1, 0.5, "0.25"])
def test_read_values_at_the_ends_of_the_range_takes_them(given: object) -> None:
    known = [Parameter("alpha", T.FLOAT, 0.2, minimum=0, maximum=1)]

    assert read_values(known, {"alpha": given}) == {"alpha": float(str(given))}
