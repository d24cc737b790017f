"""Scripts in R and bash: the identity of the round trip, stability, and what is refused."""

from __future__ import annotations

import jupytext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb2prod.errors import InvalidInput
from nb2prod.export.notebook_script import notebook_of, script_name, script_of
from nb2prod.notebook.models import Cell, Notebook
from nb2prod.notebook.reading import to_node
from tests.helpers.notebooks import code, markdown, notebook, parameters, raw
from tests.helpers.properties import property_test

KERNELS = {"r": ("ir", "R"), "bash": ("bash", "Bash")}


def in_language(language: str, *cells: Cell, **fields: object) -> Notebook:
    kernel_name, display_name = KERNELS[language]
    return notebook(
        *cells,
        language=language,
        kernel_name=kernel_name,
        kernel_display_name=display_name,
        **fields,  # type: ignore[arg-type]
    )


def assert_round_trip(given_notebook: Notebook) -> str:
    script = script_of(given_notebook, ())
    back = notebook_of(script, name=given_notebook.name)

    assert [(cell.number, cell.kind, cell.source, cell.tags) for cell in back.cells] == [
        (cell.number, cell.kind, cell.source, cell.tags) for cell in given_notebook.cells
    ]
    assert (back.language, back.kernel_name, back.kernel_display_name) == (
        given_notebook.language,
        given_notebook.kernel_name,
        given_notebook.kernel_display_name,
    )
    assert back.metadata == given_notebook.metadata
    assert script_of(back, ()) == script
    return script


MESSY = {
    "r": (
        markdown("# Delays\n\n%% not a cell\n# %% neither"),
        parameters('alpha <- 0.5  # weight\nday <- as.Date("2024-01-31")'),
        code("# %% no cell\nif (alpha > 0) {\n  # %% this neither\n  print('# %% in a text')\n}"),
        code("x <- 1 %% 2\n\n\n# [nb2prod] the author's"),
        code("plot(1)", tags=["skip-export"]),
        raw("raw"),
        code(""),
        markdown(" ü\n\n"),
    ),
    "bash": (
        markdown("# Copy"),
        parameters('market="JFK"\ndays=(1 2)'),
        code("cat <<'END' > a.txt\n# a comment in a text\nEND\n# %% b\n\twc -l a.txt"),
        code("for i in 1 2; do\n  # \\%% c\n  echo $i\ndone", tags=["a b"]),
    ),
}


@pytest.mark.parametrize("language", ["r", "bash"])
def test_script_of_a_messy_notebook_round_trips(language: str) -> None:
    cells = [cell for cell in MESSY[language] if cell.source.rstrip("\n") == cell.source]

    assert_round_trip(in_language(language, *cells, metadata={"nb2prod": {"timeout_s": 5}}))


def test_script_in_r_is_what_jupytext_opens() -> None:
    given_notebook = in_language("r", markdown("# Delays"), parameters("n <- 1L"), code("n + 1L"))

    opened = jupytext.reads(script_of(given_notebook, ()), fmt="R:percent")

    assert [cell.source for cell in opened.cells] == ["# Delays", "n <- 1L", "n + 1L"]
    assert opened.metadata.kernelspec == {"display_name": "R", "language": "R", "name": "ir"}
    assert opened.cells[1].metadata.tags == ["parameters"]


def test_script_differs_only_where_a_cell_has_changed() -> None:
    before = script_of(in_language("bash", code("a=1"), code("b=1"), code("c=1")), ())
    after = script_of(in_language("bash", code("a=1"), code("b=2"), code("c=1")), ())

    assert before.replace("b=1", "b=2") == after


@pytest.mark.parametrize(
    ("language", "source"),
    [("r", "x <- '\n# %% a\n'"), ("bash", "cat <<END\n# %% a\nEND"), ("bash", "x='\n# %%\n'")],
)
def test_script_of_a_text_that_would_begin_a_cell_is_refused(language: str, source: str) -> None:
    with pytest.raises(InvalidInput, match=r"Cell 1, line 2: `# %%.*would begin a cell"):
        script_of(in_language(language, code(source)), ())


def test_script_of_another_language_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Notebooks in julia can't become scripts"):
        script_of(notebook(code("x = 1"), language="julia"), ())


def test_script_name_has_the_extension_of_the_language() -> None:
    names = [script_name("train", language) for language in ("python", "r", "bash")]

    assert names == ["train.py", "train.R", "train.sh"]


def test_node_of_an_r_notebook_names_the_language_as_papermill_knows_it() -> None:
    node = to_node(in_language("r", code("1")))

    assert node.metadata.kernelspec.language == "R"
    assert node.metadata.language_info.name == "R"


LINES = st.sampled_from(
    ["x <- 1", "", "  ", "# %%", "# %% [markdown]", "  # %% a", "# \\%% b", "#%%", "# [nb2prod] c",
     "# [/nb2prod]", "#", "# ---", "# é\u2028\x0c", "f(1,\n# %% c\n2)", "'# %% d'", "\t# In[1]:"]
)  # fmt: skip
SOURCES = st.lists(LINES, max_size=6).map(lambda lines: "\n".join(lines).rstrip("\n"))
CELLS = st.one_of(
    st.builds(code, SOURCES, tags=st.lists(st.sampled_from(["a", "ü 1"]), max_size=2, unique=True)),
    st.builds(markdown, SOURCES),
    st.builds(raw, SOURCES),
)


@property_test
@given(st.lists(CELLS, max_size=5))
def test_script_of_any_cells_round_trips(cells: list[Cell]) -> None:
    assert_round_trip(in_language("r", *cells))
