"""What the preflight finds, and what it leaves alone."""

from __future__ import annotations

import ast

import pytest

from nb2prod.export.absolute_paths import absolute_paths
from nb2prod.export.findings import FINDINGS
from nb2prod.export.models import Finding, Severity
from nb2prod.export.preflight import preflight
from nb2prod.notebook.models import Cell
from tests.helpers.notebooks import code, markdown, notebook, parameters

P = parameters("alpha = 1.0")


def found(*cells: Cell) -> list[tuple[str, int | None, int | None]]:
    """Code, cell and line of the findings; the first cell is a parameters cell."""
    return [(entry.code, entry.cell, entry.line) for entry in findings_of(P, *cells)]


def findings_of(*cells: Cell) -> list[Finding]:
    """All but that nobody needs a cell: the smallest examples are so."""
    return [entry for entry in preflight(notebook(*cells)) if entry.code != "cell-dead"]


def the_one(*cells: Cell) -> Finding:
    (finding,) = findings_of(P, *cells)
    return finding


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(["y", "y = 1"], [("name-undefined", 2, 1)], id="defined-below"),
        pytest.param(["1\nz"], [("name-undefined", 2, 2)], id="nowhere"),
        pytest.param(["z; z", "z"], [("name-undefined", 2, 1)], id="once-per-name"),
        pytest.param(["n += 1"], [("name-undefined", 2, 1)], id="only-by-itself"),
        pytest.param(["x = 1\ndel x", "x"], [("name-deleted", 3, 1)], id="deleted"),
        pytest.param(["x = 1\ndel x", "x = 2", "x"], [], id="deleted-and-back"),
        pytest.param(["%time y", "1"], [("name-undefined", 2, 1)], id="inside-a-magic"),
        pytest.param(["!ls\n\ny"], [("name-undefined", 2, 3)], id="below-a-magic"),
        pytest.param(["def f(): return g()", "def g(): 1", "f()"], [], id="mutual-functions"),
        pytest.param(
            ["def f(): return y", "f()", "y = 1"], [("name-undefined", 3, 1)], id="called-too-early"
        ),
        pytest.param(
            ["def f(): return g()\ndef g(): return y", "df = 1; map(f, [])", "y = 1"],
            [("name-undefined", 3, 1)],
            id="called-through-another",
        ),
        pytest.param(["def f(): return y\ny = 1\nf()"], [], id="defined-before-the-call"),
        pytest.param(
            ["def f(): return nope"], [("name-undefined-in-function", 2, 1)], id="in-a-function"
        ),
        pytest.param(
            ["from os import *\ngetcwd(); sep"], [("name-unclear", 2, 2)], id="star-import"
        ),
        pytest.param(["exec('a = 1')", "a"], [("name-unclear", 3, 1)], id="exec"),
        pytest.param(["if alpha:\n    x = 1", "x"], [], id="defined-on-one-way"),
        pytest.param(
            ["try:\n    import tqdm\nexcept ImportError:\n    tqdm = None\ntqdm"],
            [],
            id="try-import",
        ),
        pytest.param(["1", "_; _2; Out[2]"], [], id="last-result"),
        pytest.param(["1", "In[1]"], [("ipython-only-name", 3, 1)], id="history-of-sources"),
        pytest.param(["for _ in 'a':\n    _", "_"], [], id="underscore-of-ones-own"),
        pytest.param(["Out[3]"], [("ipython-only-name", 2, 1)], id="out-of-no-cell"),
        pytest.param(["get_ipython().x"], [("ipython-only-name", 2, 1)], id="get-ipython"),
        pytest.param(
            ["if 'get_ipython' in globals():\n    get_ipython()"], [], id="get-ipython-guarded"
        ),
        pytest.param(["display(alpha); print(alpha); exit"], [], id="display"),
    ],
)
def test_preflight_of_names(
    sources: list[str], expected: list[tuple[str, int | None, int | None]]
) -> None:
    assert found(*map(code, sources)) == expected


def test_preflight_of_a_name_defined_below_tells_both_cells() -> None:
    finding = the_one(code("print(y)"), markdown("x"), code("y = 1"))

    assert finding.severity is Severity.BLOCKING
    assert finding.message == "`y` is read here, but only cell 4 below defines it."
    assert finding.way_out.startswith("Move cell 4 above cell 2")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("!pip install x", ("package-install", 2, 1), id="pip"),
        pytest.param("x = 1\n%run a.ipynb", ("magic-refused", 2, 2), id="run"),
        pytest.param("%%R\nx <- 1", ("magic-refused", 2, 1), id="r"),
        pytest.param("x = 1\ny = = 1", ("syntax-error", 2, 2), id="syntax"),
        pytest.param("def f():\nreturn 1", ("syntax-error", 2, 2), id="indentation"),
        pytest.param("%time x = 1\nreturn", ("syntax-error", 2, 2), id="return"),
        pytest.param(
            "import asyncio\nx = 1; await asyncio.sleep(1)", ("top-level-await", 2, 2), id="await"
        ),
    ],
)
def test_preflight_of_what_can_not_be_exported_blocks(
    source: str, expected: tuple[str, int, int]
) -> None:
    finding = the_one(code(source))

    assert (finding.code, finding.cell, finding.line) == expected
    assert finding.severity is Severity.BLOCKING


def test_preflight_of_counts_that_decrease_tells_the_cells() -> None:
    cells = [code("a = 1", execution_count=5), code("b = 1", execution_count=3), code("c = 1")]
    order, missed = findings_of(parameters("alpha = 1"), *cells)

    assert (order.code, order.severity, order.cell) == ("execution-order", Severity.WARNING, 3)
    assert "cell 2 [5] was run after cell 3 [3] below it" in order.message
    assert (missed.code, missed.severity, missed.cell) == ("cells-not-run", Severity.NOTE, 1)
    assert "cell 1, cell 4" in missed.message


def test_preflight_of_a_notebook_run_in_order_finds_nothing() -> None:
    cells = [
        code("a = 1", execution_count=2),
        code("", execution_count=None),
        code("# only a word"),
    ]
    ran = parameters("x = 1")

    assert preflight(notebook(ran, *cells[1:])) == ()
    assert preflight(notebook(*cells[1:], ran)) == ()


def test_preflight_without_a_parameters_cell_proposes_one() -> None:
    (whole,) = findings_of(code("import os"), code("alpha = 1\nname = 'x'"), code("f = 2"))
    (part,) = findings_of(code("import os\nseed = 1"))
    (nothing,) = preflight(notebook(code("import os")))

    assert {whole.code, part.code, nothing.code} == {"parameters-missing"}
    assert whole.way_out == "Tag cell 2 `parameters`; it assigns `alpha`, `name`."
    assert "`seed` of cell 1" in part.way_out
    assert nothing.way_out == FINDINGS["parameters-missing"].way_out


def test_preflight_of_the_parameters_cell_warns_of_what_is_none() -> None:
    findings = preflight(
        notebook(
            parameters("a = 1\nb = [a]"),
            code("a = 2", tags=["injected-parameters"]),
            parameters("c = 1"),
        )
    )

    assert [(entry.code, entry.cell, entry.line) for entry in findings] == [
        ("parameter-skipped", 1, 2),
        ("parameters-injected", 2, None),
        ("parameters-several", 3, None),
    ]


def test_preflight_of_another_language_or_no_code_blocks() -> None:
    (language,) = preflight(notebook(code("x = 1"), language="julia"))
    (empty,) = preflight(notebook(markdown("hi"), code("  \n# x")))

    assert (language.code, language.severity) == ("language-unsupported", Severity.BLOCKING)
    assert (empty.code, empty.severity) == ("notebook-empty", Severity.BLOCKING)


def test_preflight_sorts_by_weight_then_place() -> None:
    findings = preflight(notebook(code("open('/data/a')"), code("nope"), code("!pip install x")))

    assert [(entry.severity.value, entry.cell) for entry in findings] == [
        ("blocking", 2),
        ("blocking", 3),
        ("warning", None),
        ("warning", 1),
    ]


def test_preflight_tells_no_lies_about_generated_cells() -> None:
    assert found(code("_nb2prod_options()", tags=["nb2prod-options"])) == []


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        pytest.param("open('/data/a.csv')", ["/data/a.csv"], id="open"),
        pytest.param("pd.read_csv('/data/a.csv', sep='/')", ["/data/a.csv"], id="read_csv"),
        pytest.param("df.to_parquet(path='/data/a')", ["/data/a"], id="keyword"),
        pytest.param("Path('/data') / 'x'", ["/data"], id="path"),
        pytest.param("Path(f'/data/{x}')", ["/data/"], id="f-string"),
        pytest.param("open('/data/' + name)", ["/data/"], id="joined"),
        pytest.param("os.path.join('/data', '/x')", ["/data"], id="os-path-join"),
        pytest.param("x = '/content/drive/MyDrive'", ["/content/drive/MyDrive"], id="colab"),
        pytest.param("x = r'C:\\Users\\a'", ["C:\\Users\\a"], id="windows"),
        pytest.param("x = '~/data/a.csv'", ["~/data/a.csv"], id="home"),
        pytest.param(
            "x = ['/home/ada/a', '/Users/ada']", ["/home/ada/a", "/Users/ada"], id="roots"
        ),
        pytest.param("_nb2prod_cd('/data')", ["/data"], id="cd"),
        pytest.param("requests.get('/api/users'); app.route('/home')", [], id="routes"),
        pytest.param("open('data/a.csv'); open('../a')", [], id="relative"),
        pytest.param("open('/tmp/a'); open('/dev/null')", [], id="everywhere"),
        pytest.param("'a/b'.split('/'); x = '/'; y = 'y ~ x'; z = '//n'", [], id="other-texts"),
        pytest.param("get('http://a/home/x'); x = 'a: b'; re.match('/home', y)", [], id="urls"),
        pytest.param("def f():\n    '/home/ada/a'", [], id="docstring"),
    ],
)
def test_absolute_paths_are_told_from_other_texts(source: str, paths: list[str]) -> None:
    assert [path.text for path in absolute_paths(ast.parse(source))] == paths


def test_findings_table_has_words_for_each() -> None:
    for name, kind in FINDINGS.items():
        assert name == name.lower().replace("_", "-")
        assert kind.summary.endswith(".")
        assert kind.way_out.endswith(".")


def test_preflight_of_an_installation_below_a_condition_only_notes_it() -> None:
    finding = the_one(code("try:\n    import json\nexcept ImportError:\n    !pip install json"))

    assert (finding.code, finding.severity) == ("package-install-guarded", Severity.NOTE)
    assert (finding.cell, finding.line) == (2, 4)
