"""The script: the identity of the round trip, stability, and what stands in it."""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import InvalidInput, MagicRefused
from nb2prod.export.cell_translation import CellContext, translate
from nb2prod.export.dependencies import direct_dependencies
from nb2prod.export.script import from_script, to_script
from nb2prod.notebook.models import Cell, Notebook
from nb2prod.notebook.parameters import find_parameters
from nb2prod.notebook.python_syntax import syntax_error
from tests.helpers.notebooks import code, markdown, notebook, parameters, raw
from tests.helpers.properties import property_test

DISTRIBUTIONS = {"pandas": ("pandas",), "sklearn": ("scikit-learn",)}


def script_of(given_notebook: Notebook) -> str:
    found = find_parameters(given_notebook).parameters
    return to_script(given_notebook, found, distributions=DISTRIBUTIONS)


def essence(cells: Sequence[Cell]) -> list[tuple[object, ...]]:
    return [(cell.number, cell.kind, cell.source, cell.tags) for cell in cells]


def assert_round_trip(given_notebook: Notebook) -> str:
    script = script_of(given_notebook)
    back = from_script(script, name=given_notebook.name)

    assert essence(back.cells) == essence(given_notebook.cells)
    assert script_of(back) == script
    assert syntax_error(script) is None
    return script


MESSY = notebook(
    markdown("# Train 100%\n\n%% not a cell\n# %% neither\n\n\\%% nor this\n```\nx\n```"),
    code("%matplotlib inline\nimport pandas as pd\nfrom sklearn.linear_model import Lasso"),
    code("from __future__ import annotations\nx = 1"),
    parameters("alpha: float = 0.2  # penalty\ndays = [7]"),
    code("q = 1", tags=["injected-parameters"]),
    code("# %% not a cell\ns = '''\n# %% in a text\n'''\n\n!echo {alpha}\ndisplay(s)"),
    raw("raw %% text\n\n# %% x"),
    code(""),
    markdown(""),
    code("\n\n%%time\n\nresult = [\n# %% in brackets\n1]\n   \n  # end", tags=["a", "ü 1"]),
    code("%%bash\n\necho \"$HOME\" '{x}'\n# %% y"),
    markdown(" indented\n\ttab\n   \nlast   "),
    code("obj?"),
)


def test_to_script_of_a_messy_notebook_round_trips() -> None:
    assert_round_trip(MESSY)


LINES = st.sampled_from(
    [
        "x = 1", "", "   ", "# %%", "# %% [markdown]", "  # %% a", "#%%", "# \\%% b",
        "# [nb2prod] c", "# [/nb2prod]", "# [nb2prod+]", "#", "%matplotlib inline", "%time y = 2",
        "!ls {x}", "z = !ls", "print?", "s = '''\n# %% in\n  # [nb2prod] in\n%no\n'''",
        "if x:\n    %cd a\n    # %% b", "from __future__ import division", "display(x)",
        "f(1,\n# %% c\n2)", "# ---", "# In[1]:", "a = b \\\n  % c", "\t# tab", "# é\u2028\x0c",
        "class A: pass", "x", "x, 1", "*x, 1", "x;", "(x\n+ 1)  # é", "é, 'é'", "await f(x)",
        "_", "pwd", "import matplotlib.pyplot as plt", "plt.plot(x)", "/f x", "%run -i a.py",
        "if x:\n    !pip install y", "x.ast_node_interactivity = 'all'", "x = %pwd",
        "x.ast_node_interactivity = 'last_expr_or_assign'", "1 if x else\\\n2",
        'if x:\n    x\nelse:\n    f("""\n""")',
    ]
)  # fmt: skip
STARTS = st.sampled_from(
    ["", "", "", "%%time\n", "%%capture out\n", "%%bash\n", "%%html\n", "\n \n"]
)
CODE = st.builds(
    lambda start, lines: (start + "\n".join(lines)).rstrip("\n"),
    STARTS,
    st.lists(LINES, max_size=6),
)
TEXT = st.one_of(
    st.lists(LINES, max_size=5).map("\n".join),
    st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=30),
).map(lambda text: text.rstrip("\n"))
TAGS = st.lists(st.text(max_size=5).filter(lambda tag: tag != ""), max_size=2, unique=True)


def is_python(source: str) -> bool:
    return syntax_error(translate(source, CellContext(hoists_future=True)).source) is None


CELLS = st.one_of(
    st.builds(code, CODE.filter(is_python), tags=TAGS),
    st.builds(markdown, TEXT, tags=TAGS),
    st.builds(raw, TEXT),
)


@property_test
@given(st.lists(CELLS, max_size=6))
def test_to_script_of_any_cells_round_trips(cells: list[Cell]) -> None:
    assert_round_trip(notebook(*cells, parameters("alpha = 1.5\nmarket = 'a'")))


@property_test
@given(
    st.lists(st.sampled_from(["x = 1", "", "a", "# b", "%% c", "'''"]), max_size=4).map("\n".join)
)
def test_to_script_of_any_python_source_round_trips(source: str) -> None:
    source = source.rstrip("\n")
    if syntax_error(source) is None:
        assert_round_trip(notebook(code(source), code("y = 2")))


@property_test
@given(st.text(max_size=200))
def test_from_script_of_any_text_reads_something(text: str) -> None:
    back = from_script(text, name="any")

    assert [cell.number for cell in back.cells] == list(range(1, len(back.cells) + 1))


def test_to_script_keeps_kernel_and_main_metric() -> None:
    metric = {"main_metric": "mape", "lower_is_better": True}
    given_notebook = notebook(
        code("x = 1"),
        kernel_name="my-env",
        kernel_display_name='Mine: "3" é',
        metadata={"nb2prod": metric, "widgets": {"a": 1}},
    )
    script = assert_round_trip(given_notebook)
    back = from_script(script, name="example")

    assert (back.kernel_name, back.kernel_display_name) == ("my-env", 'Mine: "3" é')
    assert (back.language, back.metadata) == ("python", {"nb2prod": metric})


def test_to_script_keeps_chosen_cell_metadata_only() -> None:
    metadata = {"slideshow": {"slide_type": "slide"}, "execution": {"iopub.status.busy": "now"}}
    script = script_of(notebook(code("x = 1", tags=["t"], metadata=metadata)))
    (cell,) = from_script(script, name="example").cells

    assert cell.metadata == {"slideshow": {"slide_type": "slide"}, "tags": ["t"]}


def test_to_script_twice_gives_the_same_bytes() -> None:
    assert script_of(MESSY) == script_of(MESSY)


def test_to_script_of_another_run_gives_the_same_bytes() -> None:
    fresh = notebook(code("x = 1"))
    used = notebook(code("x = 1", execution_count=7, outputs=[{"output_type": "stream"}]))

    assert script_of(fresh) == script_of(used)


def test_to_script_of_a_changed_cell_changes_its_own_lines_only() -> None:
    cells = list(MESSY.cells)
    changed = [*cells[:9], code("result = 2"), *cells[10:]]
    before, after = script_of(MESSY).split("\n"), script_of(notebook(*changed)).split("\n")
    removed = [line[1:] for line in difflib.ndiff(before, after) if line[0] == "-"]
    cell_lines = script_of(notebook(cells[9])).split("\n")

    # The functions for %%time stay or go with it; all else is the cell's own.
    assert {line.strip() for line in removed} <= {line.strip() for line in cell_lines}


def test_to_script_puts_generated_cells_where_they_belong() -> None:
    script = script_of(MESSY)
    markers = [line for line in script.split("\n") if line.startswith("# %%")]

    assert markers[:9] == [
        '# %% tags=["nb2prod-environment"]',
        "# %% [markdown]",
        '# %% tags=["nb2prod-future"]',
        '# %% tags=["nb2prod-support"]',
        "# %%",
        "# %%",
        '# %% tags=["parameters"]',
        '# %% tags=["injected-parameters"]',
        '# %% tags=["nb2prod-options"]',
    ]


def test_to_script_has_inline_metadata_that_other_tools_read() -> None:
    import re
    import tomllib

    script = script_of(MESSY)
    # The regular expression of PEP 723 itself.
    pattern = r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"
    (match,) = re.finditer(pattern, script)
    content = "".join(
        line.removeprefix("#").removeprefix(" ")
        for line in match["content"].splitlines(keepends=True)
    )

    assert match["type"] == "script"
    assert tomllib.loads(content) == {"dependencies": ["pandas", "scikit-learn"]}


def test_to_script_leaves_a_future_import_alone_where_it_is_first() -> None:
    script = assert_round_trip(notebook(markdown("hi"), code("from __future__ import annotations")))

    assert "[nb2prod]" not in script
    assert "nb2prod-future" not in script


def test_to_script_takes_future_imports_to_the_top_from_anywhere() -> None:
    source = "x: Unknown = 1\nfrom __future__ import (\n    annotations,\n)\n"
    script = assert_round_trip(notebook(code("y = 1"), code(source.rstrip("\n"))))
    namespace: dict[str, object] = {}

    exec(compile(script, "script", "exec"), namespace)
    assert namespace["__annotations__"] == {"x": "Unknown"}


def test_to_script_of_a_future_import_beside_other_code_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"Cell 2, line 1, .* beginning of the file"):
        script_of(notebook(code("y = 1"), code("x = 1; from __future__ import annotations")))


def test_to_script_of_a_simple_notebook_has_nothing_more_than_needed() -> None:
    script = script_of(notebook(markdown("# Hi"), code("x = 1  # one\nprint(x)")))

    assert script.endswith("# ///\n\n# %% [markdown]\n# # Hi\n\n# %%\nx = 1  # one\nprint(x)\n")
    assert "_nb2prod_" not in script


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        pytest.param(code("x = 1\n%%R"), MagicRefused, "Cell 2, line 2", id="magic"),
        pytest.param(code("a\nb c"), InvalidInput, "Cell 2, line 2", id="syntax"),
        pytest.param(code("%time x = 1\nb c"), InvalidInput, "Cell 2, line 2", id="syntax-below"),
        pytest.param(code("x = 1; await f()"), MagicRefused, "Cell 2, line 1", id="await"),
        pytest.param(code("return 1"), InvalidInput, "Cell 2, line 1", id="return"),
    ],
)
def test_to_script_of_what_is_not_python_names_the_cell(
    cell: Cell, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        script_of(notebook(markdown("hi"), cell))


def test_to_script_of_another_language_is_refused() -> None:
    with pytest.raises(InvalidInput, match="written in r"):
        to_script(notebook(code("x <- 1"), language="r"), ())


def test_to_script_opens_as_a_notebook_in_jupytext() -> None:
    import jupytext

    node = jupytext.reads(script_of(MESSY), fmt="py:percent")
    ours = [cell for cell in node.cells if not _is_generated(cell.metadata)]

    assert node.metadata["kernelspec"]["name"] == "python3"
    assert [cell.cell_type for cell in ours] == [cell.kind for cell in MESSY.cells]
    assert ours[3].source == MESSY.cells[3].source
    assert ours[3].metadata["tags"] == ["parameters"]
    assert '_nb2prod_shell(f"echo {alpha}")' in ours[5].source


def test_from_script_reads_what_jupytext_writes() -> None:
    import jupytext

    from nb2prod.notebook.reading import to_node

    given_notebook = notebook(
        markdown("# Hi\n\ntext"), parameters("x = 1"), code("def f():\n    pass")
    )
    text = jupytext.writes(to_node(given_notebook), fmt="py:percent")
    back = from_script(text, name="example")

    assert essence(back.cells) == essence(given_notebook.cells)
    assert back.kernel_display_name == given_notebook.kernel_display_name


def test_from_script_of_a_plain_program_is_one_cell() -> None:
    back = from_script("import os\n\nprint(os)\n", name="plain")

    assert [cell.source for cell in back.cells] == ["import os\n\nprint(os)"]


def test_from_script_survives_a_formatter_and_windows() -> None:
    script = script_of(notebook(code("x = 1"), code("y = 2")))
    edited = script.replace("\n# %%\ny", "\n\n\n# %%\ny").replace("\n", "\r\n")

    assert [cell.source for cell in from_script(edited, name="example").cells] == ["x = 1", "y = 2"]


def test_direct_dependencies_leaves_out_what_is_not_a_distribution() -> None:
    modules = {"os.path", "sklearn.linear_model", "helpers", "google.cloud.storage.Client"}
    distributions = {
        "sklearn": ("scikit-learn",),
        "google": ("google-auth", "google-cloud-storage"),
    }

    assert direct_dependencies(modules, distributions) == ("google-cloud-storage", "scikit-learn")


def _is_generated(metadata: Mapping[str, Any]) -> bool:
    return any(tag.startswith("nb2prod-") for tag in metadata.get("tags", ()))


@pytest.mark.parametrize("module", ["argparse", "ast", "asyncio.tasks", "dataclasses", "typing"])
def test_to_script_of_real_programs_cut_into_cells_round_trips(module: str) -> None:
    source = importlib.util.find_spec(module).loader.get_source(module)  # type: ignore[union-attr]
    lines = source.split("\n")
    starts = [
        min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))]) - 1
        for node in ast.parse(source).body
    ]
    cells = [
        code("\n".join(lines[start:end]).rstrip("\n"))
        for start, end in pairwise([0, *starts[1:], len(lines)])
    ]

    assert_round_trip(notebook(*cells))


EXPRESSIONS = st.recursive(
    st.sampled_from(
        ["x", "1.5", "'é'", "f'{x!r:>{y}}'", "'''a\n# %% b'''", "...", "lambda *a, b=1: a"]
    ),
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("[{}\n# c\n, *{}]".format, inner, inner),
        st.builds("{{'k': {}, **{}}}".format, inner, inner),
        st.builds("f({}, k={})".format, inner, inner),
        st.builds("({} if {} else\n {})".format, inner, inner, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("({}) % ({})".format, inner, inner),
        st.builds("(y := {})".format, inner),
        st.builds("(await g({}))".format, inner),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    EXPRESSIONS,
    st.builds("{}, {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("x = {}".format, EXPRESSIONS),
    st.builds("x[{}]: int = {};".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("if {}:\n\t{}\nelse:\n  pass  # é".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("def f(x, /, y={}):\n    '''d'''\n    return {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("with {} as x, y:\n  {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("try:\n  {}\nexcept* E as x: pass".format, EXPRESSIONS),
    st.builds("match {}:\n  case {{'a': [x, *_]}}: {}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("{}; {}".format, EXPRESSIONS, EXPRESSIONS),
)


@property_test
@given(st.lists(st.lists(STATEMENTS, min_size=1, max_size=3).map("\n".join), max_size=3))
def test_to_script_of_arbitrary_python_round_trips_or_refuses_an_await(sources: list[str]) -> None:
    readable = [source for source in sources if _is_cell(source)]
    refused = {item.code for source in readable for item in translate(source).refusals}
    assert refused <= {"top-level-await"}
    if not refused:
        assert_round_trip(notebook(*map(code, readable)))


def _is_cell(source: str) -> bool:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        compile(source, "cell", "exec", flags, dont_inherit=True)
    except SyntaxError:
        return False
    return True
