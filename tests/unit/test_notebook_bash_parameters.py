"""Parameters of bash notebooks: what is read from a cell, and what is written for a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import ParameterInvalid
from nb2prod.notebook.bash_parameters import scan_bash, write_bash
from nb2prod.notebook.bash_syntax import read_bash
from nb2prod.notebook.parameters import Parameter, ParameterType, read_values
from tests.helpers.properties import property_test

INTEGER, FLOAT, BOOLEAN = ParameterType.INTEGER, ParameterType.FLOAT, ParameterType.BOOLEAN
STRING, DATE, PATH, LIST = (
    ParameterType.STRING,
    ParameterType.DATE,
    ParameterType.PATH,
    ParameterType.LIST,
)


def only(source: str) -> Parameter:
    """The one parameter of a cell."""
    parameters, skipped = scan_bash(source)
    assert skipped == ()
    assert len(parameters) == 1
    return parameters[0]


@pytest.mark.parametrize(
    ("source", "kind", "default"),
    [
        ("x=10", INTEGER, 10),
        ("x=-3", INTEGER, -3),
        ("x=0.50", FLOAT, 0.5),
        ("x=1e-3", FLOAT, 0.001),
        ("x=true", BOOLEAN, True),
        ("x=JFK-DL", STRING, "JFK-DL"),
        ("x=01234", STRING, "01234"),
        ('x="10"', STRING, "10"),
        ("x='it'\\''s'", STRING, "it's"),
        (r"x=a\ b", STRING, "a b"),
        (r'x="a \"b\" \$c \d"', STRING, r'a "b" $c \d'),
        (r"x=$'a\tb\u00fc\303\274'", STRING, "a\tbüü"),
        ("x=", STRING, ""),
        ("x=  # type: int, at most so many", INTEGER, None),
        ("x=2024-01-31  # type: date", DATE, "2024-01-31"),
        ("x=data/in.csv  # type: path, the flights", PATH, "data/in.csv"),
        ("export x=5", INTEGER, 5),
        ("declare -i x=5", INTEGER, 5),
        ("declare -x x=5.5", FLOAT, 5.5),
        ("x=1; echo $x", INTEGER, 1),
        ("x=1 # one\n\nf() {\n  y=2\n}\nfunction g { z=1; }\nh() ( w=1 )", INTEGER, 1),
        ("x=1\ncat <<-END | wc\n\ty=2\n\tEND\necho 'a\ny=3'", INTEGER, 1),
        ("x=1\nLC_ALL=C sort file\n[[ a < b ]]\n(( n = 2 ))\necho $(y=2)", INTEGER, 1),
        ("x=1\necho $((1 + 2)) ${y:-'}'} >&2 <<< z", INTEGER, 1),
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
        ("x=(1 2 3)", INTEGER, [1, 2, 3]),
        ("x=(1 2.5)", FLOAT, [1.0, 2.5]),
        ('x=(1 "2")', STRING, ["1", "2"]),
        ("declare -a x=(a  # first\n 'b c')", STRING, ["a", "b c"]),
        ("x=()", STRING, []),
    ],
)
def test_scan_of_an_array_gives_a_list(
    source: str, item_type: ParameterType, default: object
) -> None:
    found = only(source)

    assert (found.type, found.item_type, found.default) == (LIST, item_type, default)


def test_scan_takes_help_range_and_choices_from_the_comment() -> None:
    parameters, _ = scan_bash(
        'market="JFK"  # the market {JFK, LGA}\nn=10 # flights [1, 100]\nnote="a # b"#c'
    )

    assert [item.help for item in parameters] == ["the market", "flights", ""]
    assert parameters[0].choices == ("JFK", "LGA")
    assert parameters[1].range_text == "[1, 100]"
    assert parameters[2].default == "a # b#c"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x=$(date)", "computed"),
        ("x=`date`", "computed"),
        ('x="$HOME/a"', "computed"),
        ("x=${y:-1}", "computed"),
        ("x=~/data", "depends on the machine"),
        ("x=(*.csv)", "make something else"),
        ("x=([a]=1)", "make something else"),
        ("x=1\nx+=2", "changed"),
        ("x[1]=2", "changed"),
        ("if true; then x=1; fi", "inside a block"),
        ("for i in 1 2; do\n  x=$i\ndone", "inside a block"),
        ("case $y in\n  a|b) x=1 ;;\nesac", "inside a block"),
        ("[[ -n $y ]] && x=1", "inside a block"),
        ("(x=1)", "inside a block"),
        ("readonly x=1", "read-only"),
        ("declare -ir x=1", "read-only"),
        ("declare -A x=([a]=1)", "names"),
        ("declare -u x=a", "changes"),
        ("declare -i x=1+1", "computes"),
        ("declare x", "no default"),
        ("x=abc  # type: int", "does not fit"),
        ("x=1  # type: integer", "not one for parameters"),
    ],
)
def test_scan_of_what_is_no_parameter_says_why(source: str, why: str) -> None:
    parameters, skipped = scan_bash(source)

    assert [item for item in parameters if item.name == "x"] == []
    assert why in next(item.why for item in skipped if item.name == "x")


@pytest.mark.parametrize(
    "source", ["x='a", 'x="a', "x=(1", "echo $(a", "if true; then x=1", "x=1)", "cat <<END\na"]
)
def test_scan_of_what_is_no_bash_says_so_once(source: str) -> None:
    parameters, skipped = scan_bash(source)

    assert parameters == ()
    assert [item.name for item in skipped] == [""]
    assert "not valid bash" in skipped[0].why


def test_comment_lines_are_those_of_no_text_and_no_here_document() -> None:
    layout = read_bash("# a\n  # b\nx='\n# c\n' # d\ncat <<E\n# e\nE\n# f")

    assert layout.comment_lines == {1, 2, 9}


def test_write_leaves_out_what_is_as_the_author_wrote_it() -> None:
    parameters, _ = scan_bash("alpha=0.50\nn=1\nflag=true\nlimit=  # type: int")

    given_values = read_values(parameters, {"n": "2", "limit": "3"})

    assert write_bash(parameters, given_values) == "n=2\nlimit=3"


def test_write_of_a_text_keeps_it_from_the_shell() -> None:
    parameters = [Parameter(name, STRING, "") for name in "abcd"]
    values: dict[str, object] = {"a": "$(rm x) it's", "b": "10", "c": "x!\ty\n", "d": "*"}

    assert write_bash(parameters, values) == (
        "a='$(rm x) it'\\''s'\nb='10'\nc=$'x\\041\\ty\\n'\nd='*'"
    )


def test_write_of_a_text_that_bash_has_not_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="market"):
        write_bash([Parameter("market", STRING, "")], {"market": "a\0b"})


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SCALARS = {
    INTEGER: st.integers(),
    FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN: st.booleans(),
    STRING: TEXT,
}


@property_test
@given(
    st.sampled_from(list(SCALARS)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), SCALARS[kind], st.lists(SCALARS[kind], min_size=1, max_size=3)
        )
    )
)
def test_written_values_are_read_as_the_same(
    drawn: tuple[ParameterType, object, list[object]],
) -> None:
    kind, value, items = drawn
    scalar = Parameter("x", kind, None)
    several = Parameter("y", LIST, None, item_type=kind)

    parameters, skipped = scan_bash(write_bash([scalar, several], {"x": value, "y": items}))

    assert skipped == ()
    assert [item.default for item in parameters] == [value, items]
    assert parameters[0].type is kind
    assert parameters[1].item_type is kind


@property_test
@given(st.text(st.sampled_from("abx=$'\"`(){}[];&|<>#\\\n \t!if fi"), max_size=40))
def test_scan_of_any_text_ends(source: str) -> None:
    scan_bash(source)
