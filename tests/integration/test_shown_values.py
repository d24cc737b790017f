"""What a script prints, against what a real kernel shows for the same cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from nb2prod.export.script import to_script
from tests.helpers.notebooks import code, notebook
from tests.helpers.showing import Shown, shown_by_kernel, shown_by_script

SETUP = "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt"
SHELL = "from IPython.core.interactiveshell import InteractiveShell\n"
TABLE = "df = pd.DataFrame({f'column_{i}': [i, 2.5] for i in range(15)})"
ADDRESS = re.compile(r"0x[0-9a-f]+")
# What differs from run to run, and %pylab's advice.
NOT_COMPARED = ("CPU times: ", "Wall time: ", "%pylab is ", "Populating the ")

NOTEBOOKS = {
    "numbers-and-texts": ["1.5", "'text'", "b'a'", "1 + 2j", "'a\\nb'", "'é' * 100", "...", "True"],
    "containers": [
        "list(range(100))",
        "{'a': list(range(30)), 'b': {'c': 'x' * 60, 'd': list(range(20))}}",
        "{3, 1, 2}, frozenset([2, 1]), (1,), [[0] * 30] * 4",
        "import collections\ncollections.Counter('abca'), collections.OrderedDict(a=1)",
        "collections.defaultdict(int, a=1), collections.deque([1]), {'a': 1}.items()",
    ],
    "tuples-without-brackets": ["x = [1]\nx, 2", "*x, 3", "(x), 4", "(x, 5)"],
    "types-and-functions": [
        "class A: pass\nA", "A()", "def f(x): return x\nf", "[A, f, None]", "int", "print",
        "lambda: 1", "Exception('a')", "__import__('re').match('a', 'a')", "slice(1, 2)",
    ],
    "numpy": ["np.array([1.123456789, 2])", "np.float64(3)", "np.arange(2000)", "np.nan"],
    "pandas": [
        TABLE, "df", "print(df)\ndf.describe()", "pd.Series([1, 2], name='a')", "type(df)",
        "pd.Timestamp('2020')", "df.groupby('column_1')",
    ],
    "sympy": [
        "import sympy\nsympy.init_printing(use_latex=False)",
        "x = sympy.Symbol('x')\n1 / x**2",
        "[x]",
    ],
    "nothing-to-show": ["None", "5;", "x = 1", "print('a')", "def f():\n    print(1)\nf()"],
    "precision": ["%precision 3", "1 / 3, [2 / 3], np.array([1 / 3])", "%precision %r", "1 / 3"],
    "history": ["1", "2", "_ + __", "_1, Out[2]", "for _ in 'ab': pass", "3", "_"],
    "figures": [
        "plt.plot([1, 2])",
        "fig, ax = plt.subplots(1, 2)\nax[0].plot([1])\nplt.show()\nplt.plot([3])",
        "for i in range(2):\n    plt.plot([i])\n    plt.show()",
        f"{TABLE}\ndf.plot()",
        "def draw(): plt.figure(figsize=(1, 2))",
        "draw()",
        "plt.rcParams['figure.figsize'] = 2, 2\nplt.get_fignums()",
    ],
    "await": [
        "import asyncio\nawait asyncio.sleep(0.01, result=7)",
        "r = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))\nr",
        "task = asyncio.create_task(asyncio.sleep(0, 3))",
        "await task",
        "async def numbers():\n    yield 4",
        "[n async for n in numbers()]",
    ],
    "display": [
        "display([1], 'a')",
        "from IPython.display import HTML, Markdown, display\ndisplay(HTML('<b>'))\nMarkdown('a')",
    ],
    "shell": ["!echo hi", "f = !echo a b\nf", "!!echo hi", "pwd", "%env LANG=C", "%env LANG"],
    "time": ["%time 3 + 4", "%time x = 5", "%%time\nx = 6\nx"],
    "capture": ["%%capture c\nprint(7)\n8", "c.stdout"],
    "other-code": ["%run helper.py 5", "value", "%run -i helper.py 6", "value", "/print 1 2"],
    "pylab": ["%pylab --no-import-all inline\nx = np.arange(3)", "x", "plt.plot(x)"],
    "all-expressions": [
        f"{SHELL}InteractiveShell.ast_node_interactivity = 'all'\n1\n2",
        "1\n'b'\n[3]",
        "if True:\n    4\nfor i in range(2):\n    i\n5\nx = 6",
        "7\n8;",
    ],
    "assignments-too": [
        "%config InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'",
        "x = 1",
        "x + 1",
        "x += 2",
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    helper = "import sys\nvalue = sys.argv[1] * 2\nprint('helper', __name__)\n"
    (tmp_path / "helper.py").write_text(helper)
    return tmp_path


@pytest.mark.parametrize("cells", NOTEBOOKS.values(), ids=NOTEBOOKS.keys())
def test_script_prints_what_the_notebook_shows(cells: Sequence[str], folder: Path) -> None:
    needs_setup = any(f"{name}." in cell for name in ("np", "plt", "pd") for cell in cells)
    cells = [SETUP, *cells] if needs_setup else cells

    assert printed_by_script(cells, folder) == normal(shown_by_kernel(cells, folder))


def test_script_saves_its_figures_where_it_is_told(folder: Path) -> None:
    cells = [SETUP, "plt.plot([1, 2])", "plt.plot([2, 1])\nplt.show()\nplt.plot([3])"]
    printed_by_script(cells, folder, NB2PROD_FIGURES=str(folder / "figures"))

    saved = sorted(path.name for path in (folder / "figures").iterdir())
    assert saved == ["1.png", "2.png", "3.png"]


def printed_by_script(cells: Sequence[str], folder: Path, **environment: str) -> list[str]:
    script = to_script(notebook(*map(code, cells)), ())
    return normal(shown_by_script(script, folder, **environment))


def normal(shown: Shown) -> list[str]:
    assert not shown.error, shown
    lines = ADDRESS.sub("", shown.text).splitlines()
    return [line for line in lines if not line.startswith(NOT_COMPARED)]
