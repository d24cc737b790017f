"""Names that a cell defines and uses."""

from __future__ import annotations

import ast

import pytest

from nb2prod.notebook.dataflow import CellNames, cell_names, tree_names


def shown(names: CellNames) -> dict[str, str]:
    """The parts that have names, each as one text."""
    parts = ("defined", "used", "used_possibly", "used_deferred", "deleted", "mutated")
    return {part: " ".join(sorted(getattr(names, part))) for part in parts if getattr(names, part)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("x = y", {"defined": "x", "used": "y"}, id="assignment"),
        pytest.param("x = 1\ny = x", {"defined": "x y"}, id="defined-before"),
        pytest.param("y = x\nx = 1", {"defined": "x y", "used": "x"}, id="defined-after"),
        pytest.param("x += 1", {"defined": "x", "used": "x"}, id="augmented"),
        pytest.param("x: int", {}, id="annotation-alone-binds-nothing"),
        pytest.param("a, (b, *c) = d", {"defined": "a b c", "used": "d"}, id="unpacking"),
        pytest.param("print(len(range(3)))", {}, id="builtins-are-not-used"),
        pytest.param("display(x); _ ; In; Out[1]; _3; exit", {"used": "x"}, id="ipythons-names"),
        pytest.param(
            "import a.b, c as d\nfrom e import f as g", {"defined": "a d g"}, id="imports"
        ),
        pytest.param("df['a'] = 1\no.p.q += 2", {"used": "df o", "mutated": "df o"}, id="mutation"),
        pytest.param("del df['a'], o.p", {"used": "df o", "mutated": "df o"}, id="deleted-parts"),
        pytest.param(
            "o.p, (d[k], v) = w",
            {"defined": "v", "used": "d k o w", "mutated": "d o"},
            id="mutation-by-unpacking",
        ),
        pytest.param("for o.p in r: pass", {"used": "o r", "mutated": "o"}, id="mutation-by-loop"),
        pytest.param("xs.append(1)", {"used": "xs", "mutated": "xs"}, id="append"),
        pytest.param("d['k'].xs.sort()", {"used": "d", "mutated": "d"}, id="method-of-a-part"),
        pytest.param(
            "df.drop('a', inplace=True)", {"used": "df", "mutated": "df"}, id="pandas-inplace"
        ),
        pytest.param(
            "df.drop('a'); df.dropna(inplace=False); f().pop()",
            {"used": "df f"},
            id="no-mutation",
        ),
        pytest.param(
            "w.zero_(); model.fit(x)", {"used": "model w x", "mutated": "model w"}, id="ml"
        ),
        pytest.param(
            "random.shuffle(xs)", {"used": "random xs", "mutated": "xs"}, id="changes-its-argument"
        ),
        pytest.param(
            "[x.append(1) for x in xs]", {"used": "xs"}, id="mutation-of-a-comprehensions-own"
        ),
        pytest.param("del x\nx = 1", {"used": "x", "defined": "x"}, id="deleted-and-set-again"),
        pytest.param("x = 1\ndel x", {"deleted": "x"}, id="set-and-deleted"),
        pytest.param("if (n := f()): n", {"defined": "n", "used": "f"}, id="walrus"),
        pytest.param("[i * k for i in r for j in i if j]", {"used": "k r"}, id="comprehension"),
        pytest.param("[(m := i) for i in r]\nm", {"defined": "m", "used": "r"}, id="walrus-inside"),
        pytest.param("{i: j for i, j in i}", {"used": "i"}, id="first-iterable-is-outside"),
        pytest.param("with open(p) as (f, g): f", {"defined": "f g", "used": "p"}, id="with"),
        pytest.param(
            "for i in r:\n    x = i\ny = x",
            {"defined": "i x y", "used": "r", "used_possibly": "x"},
            id="loop-may-not-run",
        ),
        pytest.param(
            "if c:\n    x = 1\nelse:\n    x = 2\nx", {"defined": "x", "used": "c"}, id="both-ways"
        ),
        pytest.param(
            "if c:\n    x = 1\nx",
            {"defined": "x", "used": "c", "used_possibly": "x"},
            id="one-way",
        ),
        pytest.param(
            "if c:\n    x = 1\nelse:\n    raise E\nx",
            {"defined": "x", "used": "E c"},
            id="the-other-way-ends",
        ),
        pytest.param(
            "try:\n    import a\nexcept ImportError as e:\n    a = None\na.b; e",
            {"defined": "a", "used": "e"},
            id="except-as-unbinds",
        ),
        pytest.param(
            "try:\n    x\nexcept NameError:\n    x = 1\nx",
            {"defined": "x", "used_possibly": "x"},
            id="guarded-by-name-error",
        ),
        pytest.param(
            'if "x" not in globals():\n    x = 1\nx',
            {"defined": "x", "used_possibly": "x"},
            id="guarded-by-globals",
        ),
        pytest.param(
            "match v:\n    case {'a': b, **r}: b\n    case [c, *d] if c: d\n    case K(e=f): f",
            {"defined": "b c d f r", "used": "K v"},
            id="match",
        ),
        pytest.param(
            "def f(a, b=c) -> R:\n    d = a + g\n    return d, h()\nh = 1",
            {"defined": "f h", "used": "R c", "used_deferred": "g"},
            id="function",
        ),
        pytest.param(
            "from __future__ import annotations\ndef f(a: T) -> R: ...",
            {"defined": "annotations f", "used_deferred": "R T"},
            id="annotations-as-text",
        ),
        pytest.param(
            "def f():\n    global g\n    g = 1\n    def k(): return g, z\n    return k",
            {"defined": "f g", "used_deferred": "g z"},
            id="global",
        ),
        pytest.param(
            "def f():\n    n = 1\n    def k():\n        nonlocal n\n        n = m\n",
            {"defined": "f", "used_deferred": "m"},
            id="nonlocal",
        ),
        pytest.param(
            "@deco\nclass A(B, metaclass=M):\n    x = k\n    y = [x for _ in range(3)]\n"
            "    def m(self): return x, A",
            {"defined": "A", "used": "B M deco k", "used_deferred": "x"},
            id="class",
        ),
        pytest.param(
            "key = lambda v, w=d: v + o",
            {"defined": "key", "used": "d", "used_deferred": "o"},
            id="lambda",
        ),
        pytest.param(
            "df.apply(lambda r: f(r))",
            {"used": "df f", "used_deferred": "f"},
            id="lambda-called-at-once",
        ),
        pytest.param("df.query('a > @limit')", {"used": "df limit"}, id="query"),
        pytest.param(
            "async def f():\n    async with a as b: return b",
            {"defined": "f", "used_deferred": "a"},
            id="async",
        ),
        pytest.param("%time x = f(y)\nz = !ls", {"defined": "x z", "used": "f y"}, id="magics"),
        pytest.param("f'{a:{w}} {b!r}'", {"used": "a b w"}, id="f-string"),
    ],
)
def test_cell_names_follows_pythons_scopes(source: str, expected: dict[str, str]) -> None:
    names = cell_names(source)

    assert shown(names) == expected
    assert not names.is_uncertain


@pytest.mark.parametrize(
    ("source", "may_define", "may_use"),
    [
        pytest.param("from os import *", True, False, id="star-import"),
        pytest.param("exec(text)", True, True, id="exec"),
        pytest.param("eval(text)", False, True, id="eval"),
        pytest.param("globals()['x'] = 1", True, True, id="globals"),
        pytest.param("def f(): globals()['x'] = 1", True, True, id="globals-in-a-function"),
        pytest.param("'x' in globals()", False, False, id="only-asks"),
        pytest.param("df.eval('a + b')", False, False, id="a-method-named-eval"),
        pytest.param("%run other.ipynb", True, True, id="unknown-magic"),
        pytest.param("%matplotlib inline", False, False, id="harmless-magic"),
        pytest.param("a b", True, True, id="broken"),
    ],
)
def test_cell_names_of_what_hides_names_is_uncertain(
    source: str,
    *,
    may_define: bool,
    may_use: bool,
) -> None:
    names = cell_names(source)

    assert (names.may_define_anything, names.may_use_anything) == (may_define, may_use)


def test_cell_names_tells_what_a_call_reads() -> None:
    names = cell_names(
        "def f(): return g(a)\nclass C:\n    def __init__(self): b\n    def m(self): c\nf()"
    )

    assert names.functions == {"f": frozenset({"g", "a"}), "C": frozenset({"b"})}
    assert names.called == {"f"}


def test_cell_names_of_builtins_are_kept_apart() -> None:
    names = cell_names("display(x)\ndef f(): return sum(_)")

    assert names.used_builtins == {"display"}
    assert names.deferred_builtins == {"sum", "_"}


def test_cell_names_of_a_shadowed_builtin_are_its_own() -> None:
    assert cell_names("list = [1]\nlist[0]").used_builtins == frozenset()


def test_cell_names_reads_is_all_that_it_may_need() -> None:
    names = cell_names("a; xs.append(1)\nif a:\n    b = 1\nb\ndef f(): return c, sum(_)")

    assert names.reads == {"a", "xs", "b", "c", "sum", "_"}


def test_tree_names_is_the_same_from_a_tree() -> None:
    source = "import os\ndf['a'] = os.sep + x"

    assert tree_names(ast.parse(source)) == cell_names(source)


def test_cell_names_gives_the_line_of_the_first_reading() -> None:
    assert cell_names("a = 1\n\nprint(b)\nb").lines["b"] == 3
