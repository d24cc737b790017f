"""IPython's own lines, found without IPython; IPython itself is the judge."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.notebook.ipython_syntax import EscapeKind, find_escapes, read_layout, without_ipython
from tests.helpers.properties import property_test


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("%time f()", [("time", "", "f()")], id="line-magic"),
        pytest.param("  %cd x", [("cd", "", "x")], id="indented-cell"),
        pytest.param("if a:\n    !ls {x}", [("!", "", "ls {x}")], id="in-a-block"),
        pytest.param("x = !ls", [("!", "x", "ls")], id="assigned-shell"),
        pytest.param("a, b = %magic 1", [("magic", "a, b", "1")], id="assigned-to-a-tuple"),
        pytest.param('d["k"] = !ls', [("!", 'd["k"]', "ls")], id="assigned-to-an-item"),
        pytest.param("x = y \\\n= !ls", [("!", "x = y", "ls")], id="target-over-lines"),
        pytest.param("!ls \\\n -l\nx = 1", [("!", "", "ls   -l")], id="continued"),
        pytest.param("print?", [("?", "", "print")], id="help-behind"),
        pytest.param("??print", [("?", "", "print")], id="help-before"),
        pytest.param("%timeit?", [("?", "", "%timeit")], id="help-on-a-magic"),
        pytest.param("a.b[0].c??;", [("?", "", "a.b[0].c")], id="help-with-semicolon"),
        pytest.param("!echo it's (", [("!", "", "echo it's (")], id="unbalanced-shell"),
        pytest.param("/f a", [("/", "", "f a")], id="automatic-call"),
        pytest.param("x = 1\n%%time\ny", [("%time", "", "")], id="cell-magic-in-mid-cell"),
        pytest.param("%%bash\n!ls\n%x", [("bash", "", "")], id="cell-magic-takes-all"),
        pytest.param("%%time\n!ls", [("time", "", ""), ("!", "", "ls")], id="python-cell-magic"),
        pytest.param(
            "\n\n%%time\n\n%%capture c\n%cd",
            [("time", "", ""), ("capture", "", "c"), ("cd", "", "")],
            id="nested-cell-magics",
        ),
        pytest.param("x = (7\n% 4)", [], id="modulo-in-brackets"),
        pytest.param("x = y \\\n% z", [], id="modulo-behind-a-backslash"),
        pytest.param("s = '''\n%time\n!ls\nx?\n'''", [], id="inside-a-text"),
        pytest.param("f(a,\n!b)", [], id="inside-brackets"),
        pytest.param("# really?\nx = 1  # why?", [], id="question-in-a-comment"),
        pytest.param("x != y\nx %= 2\nf(a=b % c)", [], id="operators"),
        pytest.param("'it''s' '#' \"\\\"%\"", [], id="texts-with-quotes"),
    ],
)
def test_find_escapes_finds_what_is_ipythons(
    source: str, expected: list[tuple[str, str, str]]
) -> None:
    found = find_escapes(source)

    assert [(escape.name, escape.target, escape.argument) for escape in found] == expected


def test_find_escapes_of_a_cell_magic_gives_its_body_and_lines() -> None:
    (escape,) = find_escapes("\n%%writefile a.txt\none\n\ntwo")

    assert escape.kind is EscapeKind.CELL_MAGIC
    assert (escape.line, escape.end_line, escape.body) == (2, 5, "one\n\ntwo")


def test_read_layout_of_comments_gives_those_with_a_line_of_their_own() -> None:
    layout = read_layout("# a\nx = [\n  # b\n]  # no\ns = '''\n# no\n'''\nif x:\n    # c\n    y")

    assert [(comment.line, comment.text) for comment in layout.comments] == [
        (1, "# a"),
        (3, "  # b"),
        (9, "    # c"),
    ]


def is_ipythons(source: str) -> bool:
    """Whether IPython changes a cell's text."""
    from IPython.core import inputtransformer2

    manager: Any = inputtransformer2.TransformerManager  # it has no types
    return "get_ipython()" in manager().transform_cell(source)


LINES = st.sampled_from(
    [
        "%time f()", "!ls", "x = !ls -l", "y = %pwd", "print?", "?print", "x = 1", "", "# c?",
        "x = (1,", "% 2)", "!a)", "]", "s = '''", "'''", "'%x'", "f(x)", "x = [", "if x:",
        "    %cd y", "    pass", "%%time", "%%bash", "x = y \\", "% z", "a = {'b': 1}", "'\\''",
    ]
)  # fmt: skip


@property_test
@given(st.lists(LINES, min_size=1, max_size=6).map("\n".join))
def test_find_escapes_finds_some_exactly_where_ipython_does(source: str) -> None:
    python = without_ipython(source)
    try:
        ast.parse(python)
    except SyntaxError:
        # IPython guesses at the end of broken code; then nothing is exported anyway.
        return

    assert bool(find_escapes(source)) == is_ipythons(source)


@property_test
@given(st.lists(LINES, max_size=8).map("\n".join))
def test_without_ipython_keeps_the_number_of_lines(source: str) -> None:
    assert without_ipython(source).count("\n") == source.count("\n")


@property_test
@given(st.text(alphabet="ab'\"\\\n#%!?=()[]{} \t"))
def test_find_escapes_of_any_text_ends_inside_it(source: str) -> None:
    lines = source.count("\n") + 1
    places = [(escape.line, escape.end_line) for escape in find_escapes(source)]

    assert all(1 <= first <= last <= lines for first, last in places)
    assert places == sorted(places)
