"""Parameters of R notebooks: what is read from a cell, and what is written for a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.parameters import Parameter, ParameterType, read_values
from nb2prod.notebook.r_parameters import scan_r
from nb2prod.notebook.r_values import write_r
from tests.helpers.properties import property_test

INTEGER, FLOAT, BOOLEAN = ParameterType.INTEGER, ParameterType.FLOAT, ParameterType.BOOLEAN
STRING, DATE, DATETIME = ParameterType.STRING, ParameterType.DATE, ParameterType.DATETIME
LIST, DICT, PATH = ParameterType.LIST, ParameterType.DICT, ParameterType.PATH


def only(source: str) -> Parameter:
    """The one parameter of a cell."""
    parameters, skipped = scan_r(source)
    assert skipped == ()
    assert len(parameters) == 1
    return parameters[0]


@pytest.mark.parametrize(
    ("source", "kind", "default"),
    [
        ("x <- 0.5", FLOAT, 0.5),
        ("x <- 10", FLOAT, 10.0),
        ("x = 10L", INTEGER, 10),
        ("x <- -1e3L", INTEGER, -1000),
        ("x <- 0x1FL", INTEGER, 31),
        ("x <- .5e-3", FLOAT, 0.0005),
        ("x <- -Inf", FLOAT, float("-inf")),
        ("x <- TRUE", BOOLEAN, True),
        ("x <- F", BOOLEAN, False),
        ('x <- "JFK"', STRING, "JFK"),
        (r"x <- 'it\'s \u00fc\n'", STRING, "it's ü\n"),
        (r"""x <- r"(a\b)" """, STRING, r"a\b"),
        (r"""x <- R'--[a "]" b]--' """, STRING, 'a "]" b'),
        ('x <- as.Date("2024-01-31")', DATE, "2024-01-31"),
        ('x <- as.POSIXct("2024-01-31 12:00")', DATETIME, "2024-01-31T12:00:00"),
        (
            'x <- as.POSIXct("2024-01-31 12:00:05", tz = "UTC")',
            DATETIME,
            "2024-01-31T12:00:05+00:00",
        ),
        ('x <- file.path("data", "x.csv")', PATH, "data/x.csv"),
        ("x <- list(a = 1, `b c` = TRUE)", DICT, {"a": 1.0, "b c": True}),
        ("x <- list(a = c(1L, 2L), b = list(d = NULL))", DICT, {"a": [1, 2], "b": {"d": None}}),
        ('"x" <- 1L', INTEGER, 1),
        ("5L -> x", INTEGER, 5),
        ("x <<- 1L", INTEGER, 1),
        ("x <-\n  1L", INTEGER, 1),
        ("library(dplyr)\nx <- 1L; print(x)\nf <- function(n) {\n  y <- n\n}", INTEGER, 1),
        ("x <- NULL  # type: character, the market", STRING, None),
        ("x <- NA_integer_", INTEGER, None),
        ("x <- 10  # type: integer", INTEGER, 10),
        ('x <- "data"  # type: path', PATH, "data"),
    ],
)  # fmt: skip
def test_scan_of_a_value_written_out_gives_its_type(
    source: str, kind: ParameterType, default: object
) -> None:
    found = only(source)

    assert (found.name, found.type, found.default) == ("x", kind, default)
    assert type(found.default) is type(default)


@pytest.mark.parametrize(
    ("source", "item_type", "default"),
    [
        ("x <- c(1, 2L)", FLOAT, [1.0, 2.0]),
        ("x <- c(1L,\n  2L  # two\n)", INTEGER, [1, 2]),
        ('x <- c("a", c("b"))', STRING, ["a", "b"]),
        ("x <- integer(0)", INTEGER, []),
        ('x <- as.Date(c("2024-01-31", "2024-02-29"))', DATE, ["2024-01-31", "2024-02-29"]),
        ('x <- list(1, "a", NULL)', None, [1.0, "a", None]),
    ],
)
def test_scan_of_several_values_gives_a_list(
    source: str, item_type: ParameterType | None, default: object
) -> None:
    found = only(source)

    assert (found.type, found.item_type, found.default) == (LIST, item_type, default)


def test_scan_takes_help_range_and_choices_from_the_comment() -> None:
    parameters, _ = scan_r(
        "alpha <- 0.5  # weight of the newest day [0, 1]\n"
        "n.trees <- 100L # trees [1, ]\n"
        'market <- "JFK"  # airport {JFK, LGA}\n'
        'note <- "a # b"  # with [1, 2] inside\n'
    )

    assert [item.help for item in parameters] == [
        "weight of the newest day", "trees", "airport", "with [1, 2] inside",
    ]  # fmt: skip
    assert [item.range_text for item in parameters] == ["[0, 1]", "[1, ]", "", ""]
    assert parameters[2].choices == ("JFK", "LGA")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x <- y + 1", "computed"),
        ("x <- Sys.Date()", "time of the run"),
        ('x <- Sys.getenv("HOME")', "environment"),
        ("x <- 1:3", "sequence"),
        ("x <- NULL", "says nothing of its type"),
        ("x <- NA", "says nothing of its type"),
        ("x <- c(1, NA)", "NA inside"),
        ('x <- c(1, "a")', "not all of one type"),
        ("x <- c(a = 1)", "names"),
        ("x <- list(list(1))", "without names"),
        ("x <- 2i", "complex"),
        ("x <- 3000000000L", "no integer"),
        ("x <- 1.5L", "no integer"),
        (r"x <- '\xe4'", "bytes"),
        ('x <- as.Date("31.1.2024", format = "%d.%m.%Y")', "as.Date"),
        ('x <- as.Date("2024-02-30")', "no day"),
        ('x <- as.POSIXct("2024-01-31 12:00", tz = "Europe/Berlin")', "UTC"),
        ("if (TRUE) {\n  x <- 1\n}", "inside a block"),
        ("x <- 1\nx[2] <- 3", "changed"),
        ("x <- 1\nnames(x) <- 'a'", "changed"),
        ("`x y` <- 1", "name needs quotes"),
        ("x <- 1.5  # type: integer", "does not fit"),
        ('x <- "2024-01-31"  # type: Date', "comment says date"),
        ("x <- 1  # type: float", "not one for parameters"),
    ],
)
def test_scan_of_what_is_no_parameter_says_why(source: str, why: str) -> None:
    parameters, skipped = scan_r(source)

    assert parameters == ()
    assert why in skipped[-1].why


@pytest.mark.parametrize("source", ["x <- (1", "x <- 'a", "x <- 1)", "x <- §"])
def test_scan_of_what_is_no_r_says_so_once(source: str) -> None:
    parameters, skipped = scan_r(source)

    assert parameters == ()
    assert [item.name for item in skipped] == [""]
    assert "not valid R" in skipped[0].why


def test_write_leaves_out_what_is_as_the_author_wrote_it() -> None:
    parameters, _ = scan_r("alpha <- 0.5\nn <- 1L\nlimit <- NA_integer_\nflag <- TRUE")

    given_values = read_values(parameters, {"n": "2", "flag": True})

    assert write_r(parameters, given_values) == "n <- 2L"


def test_write_of_an_integer_that_r_has_not_is_refused() -> None:
    parameters, _ = scan_r("n <- 1L\nshare <- 1")

    with pytest.raises(ParameterInvalid, match="R's integers end at 2147483647"):
        write_r(parameters, {"n": 2**31, "share": 1.0})
    assert write_r(parameters, {"n": 1, "share": 2.0**31}) == "share <- 2147483648"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_write_of_a_text_that_r_has_not_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid, match="market"):
        write_r([Parameter("market", STRING, "")], {"market": text})


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
R_INTEGERS = st.integers(-(2**31) + 1, 2**31 - 1)
SCALARS = {
    INTEGER: R_INTEGERS,
    FLOAT: st.floats(allow_nan=False),
    BOOLEAN: st.booleans(),
    STRING: TEXT,
    DATE: st.dates().map(str),
}
DATES_AND_TIMES = st.datetimes().map(lambda moment: moment.isoformat())


@property_test
@given(
    st.sampled_from(list(SCALARS)).flatmap(
        lambda kind: st.tuples(st.just(kind), SCALARS[kind], st.lists(SCALARS[kind], max_size=3))
    )
)
def test_written_values_are_read_as_the_same(
    drawn: tuple[ParameterType, object, list[object]],
) -> None:
    kind, value, items = drawn
    scalar = Parameter("x", kind, None)
    several = Parameter("y", LIST, None, item_type=kind)

    parameters, skipped = scan_r(write_r([scalar, several], {"x": value, "y": items}))

    assert skipped == ()
    assert [item.default for item in parameters] == [value, items]
    assert parameters[0].type is kind
    assert parameters[1].item_type is kind


@property_test
@given(DATES_AND_TIMES)
def test_a_written_moment_is_read_as_the_same(moment: str) -> None:
    source = write_r([Parameter("x", DATETIME, None)], {"x": moment})

    assert replace(only(source), default="").type is DATETIME
    assert only(source).default == moment


@property_test
@given(st.text(max_size=60))
def test_scan_of_any_text_ends(source: str) -> None:
    scan_r(source)
