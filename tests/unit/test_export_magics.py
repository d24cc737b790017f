"""Magics: the table, one by one, and what the translations do when they run."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest

from nb2prod.export.blocks import restored
from nb2prod.export.cell_translation import CellContext, names_bound_in, translate
from nb2prod.export.magics import MAGICS, Action, Magic
from nb2prod.export.support import support_source
from nb2prod.notebook.python_syntax import syntax_error


def run(source: str, **given: object) -> tuple[dict[str, object], str]:
    """Run a cell's translation; returns its namespace and what it printed."""
    translation = translate(source, CellContext(names=names_bound_in(source) | set(given)))
    assert translation.refusals == ()
    namespace: dict[str, object] = dict(given)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        program = support_source(translation.support) + "\n" + translation.source
        exec(compile(program, "script", "exec"), namespace)
    return namespace, printed.getvalue()


def row_id(row: Magic) -> str:
    return row.example.split("\n", maxsplit=1)[0].replace(" ", "_")


@pytest.mark.parametrize("row", MAGICS, ids=row_id)
def test_magic_example_is_translated_dropped_or_refused_as_the_table_says(row: Magic) -> None:
    translation = translate(row.example)

    assert bool(translation.refusals) is (row.action is Action.REFUSE)
    assert restored(translation.source) == row.example
    assert syntax_error(translation.source) is None
    if row.action is Action.DROP:
        assert "dropped: " in translation.source
        assert not [line for line in translation.source.split("\n") if line[:1] != "#"]
    if row.action is Action.REFUSE:
        assert translation.refusals[0].way_out == row.summary


def test_magics_have_one_row_each() -> None:
    keys = [(row.kind, row.name) for row in MAGICS]

    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        pytest.param("!echo hello; echo there >&2", "hello\nthere\n", id="shell"),
        pytest.param("!echo {n + 1} $n '$n'", "4 3 $n\n", id="shell-with-values"),
        pytest.param("!false", "", id="shell-failing-goes-on"),
        pytest.param("!cd / && pwd", "/\n", id="shell-is-a-shell"),
        pytest.param("for i in range(2):\n    !echo {i}", "0\n1\n", id="shell-in-a-loop"),
        pytest.param(
            "%%bash\nfor i in 1 2; do\n  echo $i '{n}'\ndone", "1 {n}\n2 {n}\n", id="bash"
        ),
        pytest.param("%%bash -s {n}\necho $1", "3\n", id="bash-with-an-argument"),
        pytest.param("%%script cat\nas is", "as is\n", id="script"),
        pytest.param("%%bash --no-raise-error\nexit 3", "", id="bash-failing-allowed"),
    ],
)
def test_shell_prints_what_the_command_prints(source: str, printed: str) -> None:
    assert run(source, n=3)[1] == printed


def test_shell_assigned_gives_lines() -> None:
    namespace, printed = run("x = !printf 'a\\nb c\\n'\ny = !true")

    assert (namespace["x"], namespace["y"], printed) == (["a", "b c"], [], "")


def test_bash_failing_ends_the_script() -> None:
    from subprocess import CalledProcessError

    with pytest.raises(CalledProcessError):
        run("%%bash\nexit 3")


def test_time_keeps_the_assignment_and_prints_the_time() -> None:
    namespace, printed = run("%time x = 1 + 1\ny = %time 2 + 2\n%time z = !echo a")

    assert (namespace["x"], namespace["y"], namespace["z"]) == (2, 4, ["a"])
    assert printed.count("Wall time: ") == 3


def test_time_cell_times_the_cell_once() -> None:
    namespace, printed = run("%%time\n\ntext = '''\n  a'''\n%time y = 1\nx = 3")

    assert (namespace["text"], namespace["x"]) == ("\n  a", 3)
    assert printed.count("Wall time: ") == 2


def test_timeit_runs_the_statement_and_keeps_its_names_apart() -> None:
    namespace, printed = run("seen = []\n%timeit -n3 -r 2 seen.append(1); inner = 2")

    assert namespace["seen"] == [1] * 6
    assert "inner" not in namespace
    assert "per loop (mean ± std. dev. of 2 runs, 3 loops each)" in printed


def test_timeit_cell_with_preparation_shares_its_names() -> None:
    source = "%%timeit -n 3 -r 2 total = 0\ntotal += 1\ngiven.append(total)"
    namespace, printed = run(source, given=[])

    assert namespace["given"] == [1, 2, 3, 4, 5, 6]
    assert "total" not in namespace
    assert "2 runs, 3 loops each" in printed


def test_timeit_cell_runs_the_cell() -> None:
    namespace, _ = run("%%timeit -n 2 -r 1\nfor i in range(2):\n\n    given.append(i)", given=[])

    assert namespace["given"] == [0, 1, 0, 1]


def test_capture_keeps_what_is_printed() -> None:
    namespace, printed = run("%%capture kept\nprint('a')\n!echo b\nx = 1")
    again = io.StringIO()
    with contextlib.redirect_stdout(again):
        namespace["kept"].show()  # type: ignore[attr-defined]

    assert printed == ""
    assert namespace["x"] == 1
    assert again.getvalue() == "a\nb\n"


def test_write_file_writes_the_text_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "a = 'é'\n\n  # [/nb2prod]\n\t\"{n}\" \\n"
    first = run(f"%%writefile out.py\n{text}")[1]
    second = run("%%file -a {name}\nmore", name="out.py")[1]

    assert (tmp_path / "out.py").read_text(encoding="utf-8") == f"{text}\nmore\n"
    assert (first, second) == ("Writing out.py\n", "Appending to out.py\n")


def test_cd_and_pwd_use_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    namespace, printed = run('%cd -q "a b"\nhere = %pwd\n%cd ..\n%cd nowhere')

    assert namespace["here"] == str(tmp_path / "a b")
    assert printed.startswith(f"{tmp_path}\n")
    assert "nowhere" in printed


def test_env_sets_and_gets_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NB2PROD_TEST", "before")
    before = run("x = %env NB2PROD_TEST")[0]["x"]
    printed = run("%env NB2PROD_TEST={n}\n%set_env NB2PROD_TEST {n} 4", n=3)[1]

    assert before == "before"
    assert os.environ["NB2PROD_TEST"] == "3 4"
    assert printed == "env: NB2PROD_TEST=3\nenv: NB2PROD_TEST=3 4\n"


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        pytest.param("x = 1\n!pip install a", "package-install", 2, id="pip-by-shell"),
        pytest.param(
            "!{sys.executable} -m pip install -q a", "package-install", 1, id="python-m-pip"
        ),
        pytest.param("!apt-get -y install git", "package-install", 1, id="apt"),
        pytest.param("%%bash\ncd x\npip3 install .", "package-install", 1, id="pip-in-bash"),
        pytest.param("%pip install a", "package-install", 1, id="pip-magic"),
        pytest.param("%nonsense", "magic-refused", 1, id="unknown-line-magic"),
        pytest.param("%%nonsense\nx", "magic-refused", 1, id="unknown-cell-magic"),
        pytest.param("x\n%%time\ny", "magic-refused", 2, id="cell-magic-in-mid-cell"),
        pytest.param("/f(1) 2", "magic-refused", 1, id="automatic-call"),
        pytest.param("%run other.ipynb", "magic-refused", 1, id="run-a-notebook"),
        pytest.param("%run -d a.py", "magic-refused", 1, id="run-option"),
        pytest.param("%reset", "magic-refused", 1, id="reset-that-asks"),
        pytest.param("x = %who_ls", "magic-refused", 1, id="dropped-one-assigned"),
        pytest.param("t = %timeit -o f()", "magic-refused", 1, id="timeit-result"),
        pytest.param("%timeit -o f()", "magic-refused", 1, id="timeit-option"),
        pytest.param("%%timeit\ns = '''\n'''", "magic-refused", 1, id="timeit-text-over-lines"),
        pytest.param("%%bash --out x\nls", "magic-refused", 1, id="bash-output"),
        pytest.param("%cd -", "magic-refused", 1, id="cd-back"),
        pytest.param("!sleep 9 &", "magic-refused", 1, id="background"),
        pytest.param("%time for i in x:", "magic-refused", 1, id="time-of-half-a-statement"),
    ],
)
def test_translate_of_what_has_no_translation_says_where(source: str, code: str, line: int) -> None:
    (refusal,) = translate(source).refusals

    assert (refusal.code, refusal.line) == (code, line)
    assert refusal.way_out


@pytest.mark.parametrize("command", ["pip list", "pip freeze > a.txt", "echo pip", "ls installed"])
def test_translate_of_harmless_commands_is_no_installation(command: str) -> None:
    assert translate(f"!{command}").refusals == ()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("  x = 1\n  %time y = x\n  # %% z", id="indented-cell"),
        pytest.param("# %% a\n#%%b\n   # \\%% c\n# [nb2prod] d\n# [/nb2prod]", id="like-marks"),
        pytest.param("s = '''\n# %% a\n# [nb2prod] b\n'''", id="like-marks-in-a-text"),
        pytest.param("if x:\n    !ls \\\n  -l\n    y", id="continued"),
        pytest.param("%%bash\n# [nb2prod] x\n\n   \n# %% y", id="like-marks-in-a-body"),
        pytest.param("%%time\n%%capture\n!ls  \n\n  \nx", id="white-space"),
        pytest.param("# In[3]:\n# <codecell>", id="other-markers"),
        pytest.param("x?\n%who\n?x", id="dropped"),
        pytest.param("%nonsense \\\n  a", id="refused"),
    ],
)
def test_restored_gives_the_authors_cell_back(source: str) -> None:
    assert restored(translate(source, CellContext(hoists_future=True)).source) == source


def test_translate_tells_the_authors_line_of_each_line() -> None:
    translation = translate("a = 1\n%time b = 2\nc = 3")
    pairs = dict(zip(translation.source.split("\n"), translation.lines, strict=True))

    assert (pairs["a = 1"], pairs["b = 2"], pairs["c = 3"]) == (1, 2, 3)
