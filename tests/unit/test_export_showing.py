"""What a script shows: values, figures, what was shown before; and where it awaits."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from nb2prod.errors import MagicRefused
from nb2prod.export.automagic import explicit_magic
from nb2prod.export.blocks import restored
from nb2prod.export.cell_translation import CellContext, translate
from nb2prod.export.figures import drawing_cells
from nb2prod.export.script import from_script, to_script
from nb2prod.export.shown_values import Interactivity, silent_functions
from nb2prod.export.support import support_functions, support_source
from nb2prod.notebook.models import Cell
from tests.helpers.notebooks import code, notebook


def body_of(*cells: Cell | str) -> str:
    """Return the script of these cells, from the first cell that is the author's."""
    given = notebook(*(cell if isinstance(cell, Cell) else code(cell) for cell in cells))
    script = to_script(given, ())
    back = from_script(script, name="example")
    assert [cell.source for cell in back.cells] == [cell.source for cell in given.cells]
    return script.split("\n# %%\n", 1)[1]


def printed(*cells: str) -> str:
    """Run the script of these cells without any package and return what it prints."""
    script = to_script(notebook(*map(code, cells)), ())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("x.head()  # é first", "_nb2prod_show(x.head())  # é first", id="comment"),
        pytest.param("é = 1; é", "é = 1; _nb2prod_show(é)", id="behind-other-code"),
        pytest.param("(a +\n b)", "_nb2prod_show((a +\n b))", id="over-lines"),
        pytest.param("a, b", "_nb2prod_show(a, b)", id="tuple"),
        pytest.param("(a), b", "_nb2prod_show((a), b)", id="tuple-that-begins-with-a-bracket"),
        pytest.param("(a, b)", "_nb2prod_show((a, b))", id="tuple-in-brackets"),
        pytest.param("lambda: 1", "_nb2prod_show(lambda: 1)", id="lambda"),
        pytest.param("(i for i in x)", "_nb2prod_show((i for i in x))", id="generator"),
        pytest.param("'''a\nb'''", "_nb2prod_show('''a\nb''')", id="text-over-lines"),
        pytest.param("print(x)", "print(x)", id="print"),
        pytest.param("plt.show()", "plt.show()", id="pyplot-show"),
        pytest.param("np.random.seed(1)", "np.random.seed(1)", id="seed"),
        pytest.param("f().show()", "_nb2prod_show(f().show())", id="some-other-show"),
        pytest.param("x;", "x;", id="silenced"),
        pytest.param("x  ; # why", "x  ; # why", id="silenced-with-a-comment"),
        pytest.param("x\ny = 1", "x\ny = 1", id="not-the-last"),
        pytest.param("if x:\n    y", "if x:\n    y", id="inside-a-block"),
        pytest.param("None", "None", id="none"),
    ],
)
def test_translate_shows_the_last_expression(source: str, expected: str) -> None:
    translation = translate(source)

    assert translation.source == expected
    assert restored(expected) == source


@pytest.mark.parametrize("source", ["*a, b", "a,", "*a,"])
def test_translate_of_a_tuple_that_is_no_list_of_arguments_keeps_both(source: str) -> None:
    translation = translate(source)
    namespace: dict[str, object] = {"a": (1,), "b": 2}
    shown: list[tuple[object, ...]] = []
    exec(translation.source, {**namespace, "_nb2prod_show": lambda *values: shown.append(values)})

    assert shown == [(eval(f"({source})", namespace),)]
    assert restored(translation.source) == source


def test_translate_shows_every_expression_where_the_notebook_does() -> None:
    source = "1\nif x:\n    for i in y:\n        i\nelse:\n    2\ntry:\n    3\nexcept E:\n    4\n5"
    context = CellContext(interactivity=Interactivity.ALL)

    translated = translate(source, context).source
    assert [line.count("_nb2prod_show(") for line in translated.split("\n")] == [
        1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1
    ]  # fmt: skip
    assert restored(translated) == source


def test_script_shows_without_any_package() -> None:
    assert printed("1 / 4", "'a'", "[1, 'b']", "x = 3\nx, 4", "display({'k': 1})", "None") == (
        "0.25\n'a'\n[1, 'b']\n(3, 4)\n{'k': 1}\n"
    )


def test_script_shows_a_value_that_has_no_text_of_its_own() -> None:
    assert printed("class A:\n    pass\nA()").startswith("<__main__.A object at 0x")


def test_script_of_silent_functions_leaves_their_calls_alone() -> None:
    body = body_of(
        "def report(x):\n    def inner(): return 1\n    print(x)\n    return",
        "report(1)",
        "def value(): return 1",
        "value()",
    )

    assert "\nreport(1)\n" in body
    assert "\n_nb2prod_show(value())\n" in body


def test_silent_functions_are_not_those_with_another_meaning() -> None:
    sources = [
        "def a(): pass", "a = 1", "def b(): yield", "@cache\ndef c(): pass",
        "def d():\n    if x:\n        return 1", "def e(): pass", "async def f(): pass",
    ]  # fmt: skip

    assert silent_functions(map(ast.parse, sources)) == {"e"}


def test_script_remembers_what_was_shown_as_a_notebook_does() -> None:
    cells = ["40", "2", "__ + _", "_3 + _1", "Out[2]", "for _ in 'ab':\n    pass", "7", "_"]

    assert printed(*cells) == "40\n2\n42\n82\n2\n7\n'b'\n"


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([code("1"), code("Out[5]")], id="a-number-beyond-the-end"),
        pytest.param(
            [code("1", execution_count=4), code("2", execution_count=1), code("_1")],
            id="run-in-another-order",
        ),
        pytest.param([code("1"), code("In[1]")], id="sources"),
        pytest.param([code("get_ipython().kernel")], id="get-ipython"),
    ],
)
def test_script_of_what_only_ipython_has_is_refused(cells: list[Cell]) -> None:
    with pytest.raises(MagicRefused, match="IPython's own") as caught:
        to_script(notebook(*cells), ())

    assert caught.value.detail["cell"] == len(cells)


def test_script_needs_nothing_for_an_underscore_of_ones_own() -> None:
    assert "_nb2prod_" not in body_of("_, x = 1, 2\nprint(_)")


def drawing(*sources: str) -> list[bool]:
    return list(drawing_cells([ast.parse(source) for source in sources]))


PLT = "import matplotlib.pyplot as plt"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param([PLT, "plt.plot(x)", "x = 1"], [False, True, False], id="pyplot"),
        pytest.param([PLT, "plt.rcParams['a'] = 1\nplt.close()"], [False, False], id="settings"),
        pytest.param(["import pandas", "df.plot()"], [False, True], id="pandas"),
        pytest.param(
            [PLT, "def f():\n    plt.plot(x)", "def g(): f()", "g()"],
            [False, False, False, True],
            id="through-functions",
        ),
        pytest.param(
            [PLT, "class A:\n    def look(self): plt.bar(x)", "A().look()"],
            [False, False, True],
            id="through-a-method",
        ),
        pytest.param(
            ["from matplotlib.pyplot import bar as b", "b(x)"], [False, True], id="imported-name"
        ),
        pytest.param(["import seaborn as sns", "sns.kdeplot(x)"], [False, True], id="seaborn"),
        pytest.param(
            [PLT, "from helpers import plot_all", "plot_all()"],
            [False, False, True],
            id="function-of-another-module",
        ),
        pytest.param(
            ["import ourplots", "ourplots.Hist(x)", "ourplots.config(x)"],
            [False, True, True],
            id="a-module-for-plots",
        ),
        pytest.param(["import numpy", "numpy.histogram(x)"], [False, False], id="no-plots-at-all"),
    ],
)
def test_drawing_cells_are_those_that_may_draw(sources: list[str], expected: list[bool]) -> None:
    assert drawing(*sources) == expected


def test_script_shows_figures_at_the_end_of_the_cells_that_draw() -> None:
    body = body_of(PLT, "plt.plot(x)\nprint(x)  # é", "plt.bar(x)\nplt.show()", "x")

    assert body.endswith(
        "\n# %%\nplt.plot(x)\nprint(x)  # é\n_nb2prod_figures()\n"
        "\n# %%\nplt.bar(x)\nplt.show()\n"
        "\n# %%\n_nb2prod_show(x)\n"
    )


@pytest.mark.parametrize(
    ("source", "names", "expected"),
    [
        pytest.param("ls -la", set(), "%ls -la", id="with-arguments"),
        pytest.param("pwd", set(), "%pwd", id="alone"),
        pytest.param("  cd ..", set(), "%cd ..", id="indented"),
        pytest.param("ls", {"ls"}, None, id="the-notebooks-own-name"),
        pytest.param("cd = 3", set(), None, id="assigned"),
        pytest.param("ls\nx = 1", set(), None, id="two-lines"),
        pytest.param("history.plot()", set(), None, id="attribute"),
        pytest.param("nothing here", set(), None, id="no-magic"),
        pytest.param("# ls", set(), None, id="comment"),
    ],
)
def test_explicit_magic_is_what_ipython_runs(
    source: str, names: set[str], expected: str | None
) -> None:
    assert explicit_magic(source, names) == expected


def test_script_awaits_on_one_loop() -> None:
    assert printed(
        "import asyncio\nqueue = asyncio.Queue()",
        "task = asyncio.create_task(queue.put(3))",
        "await task\nx: int = 1",
        "async with asyncio.Lock():\n    y = await queue.get()\ny",
        "[n async for n in g()] if False else await asyncio.sleep(0, 5)",
    ) == ("3\n5\n")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x = 1; await f()", id="beside-other-code"),
        pytest.param("await f('''\n''')", id="text-over-lines"),
        pytest.param("x: int = await f()", id="annotated"),
    ],
)
def test_translate_of_an_await_that_can_not_be_moved_is_refused(source: str) -> None:
    (refusal,) = translate(source).refusals

    assert refusal.code == "top-level-await"
    assert restored(translate(source).source) == source


def test_script_leaves_out_cells_that_are_tagged_so_and_gives_them_back() -> None:
    body = body_of("x = 1", code("y = 1 / 0\n\n!ls", tags=["exploration"]), "print(x)")
    namespace: dict[str, object] = {}
    exec(body, namespace)

    assert "y" not in namespace


def test_script_of_a_reserved_name_is_refused() -> None:
    with pytest.raises(MagicRefused, match="Cell 1, line 2: `_nb2prod_`"):
        to_script(notebook(code("x = 1\n_nb2prod_show(x)")), ())


def test_support_source_has_what_a_function_needs_and_no_more() -> None:
    source = support_source({"_nb2prod_stop_timer"})

    assert {"_nb2prod_timers", "_nb2prod_duration"} <= support_functions()
    assert "def _nb2prod_duration" in source
    assert "_nb2prod_timers = []" in source
    assert "def _nb2prod_show" not in source


def test_support_source_of_everything_is_a_program_for_old_pythons() -> None:
    source = support_source(support_functions())

    ast.parse(source, feature_version=(3, 9))
    namespace: dict[str, object] = {}
    exec(compile(source, "script", "exec"), namespace)
    assert support_functions() - {"display"} <= set(namespace)
