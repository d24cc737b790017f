"""The script as a program, as a notebook for papermill, and through nbconvert: all for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nb2prod.export.script import from_script, to_script
from nb2prod.notebook.models import Cell
from nb2prod.notebook.parameters import find_parameters
from tests.helpers.notebooks import code, markdown, notebook, parameters, write_notebook

CELLS = (
    markdown("# Forecast 100%\n\n- of *seats*"),
    code("%matplotlib inline\n%load_ext autoreload\nimport json\nimport math"),
    parameters(
        "from typing import Literal\n\n"
        'market: Literal["JFK-DL", "EWR-UA"] = "JFK-DL"  # origin and carrier\n'
        "alpha: float = 0.2  # 100% of the weight\n"
        "x = 1\n"
        "fast = False  # fewer epochs\n"
        "days: list[int] = [7, 14]\n"
        "limit: int | None = None\n"
        'options = {"a": 1}\n'
        "computed = x + 1"
    ),
    code("files = !printf '%s\\n' {market} second\n%time total = sum(days)\ndisplay(total)"),
    code(
        "result = {'market': market, 'alpha': alpha, 'x': x, 'fast': fast, 'days': days,\n"
        "          'limit': limit, 'options': options, 'files': files, 'total': total}\n"
        "print('RESULT', json.dumps(result, sort_keys=True))"
    ),
)


def result_of(printed: str) -> dict[str, Any]:
    (line,) = [line for line in printed.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return result


def write_script(folder: Path, *cells: Cell) -> Path:
    given = notebook(*cells)
    path = folder / "train.py"
    path.write_text(to_script(given, find_parameters(given).parameters), encoding="utf-8")
    return path


def run_script(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -I keeps this environment's folders out; -S its packages: a script needs neither.
    return subprocess.run(
        [sys.executable, "-I", "-S", str(path), *arguments],
        capture_output=True,
        text=True,
        cwd=path.parent,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
        timeout=60,
        check=False,
    )


def test_script_option_beyond_its_range_is_refused_with_the_range(tmp_path: Path) -> None:
    path = write_script(tmp_path, parameters("days: int | None = 7  # ahead [1, ]"), code("days"))

    refused = run_script(path, "--days", "0")

    assert refused.returncode == 2
    assert "--days: 0 is not in [1, ]" in refused.stderr
    assert run_script(path, "--days", "1").returncode == 0
    assert run_script(path, "--days", "none").returncode == 0


def test_script_reads_dates_and_paths_from_its_command_line(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        code("import datetime as dt\nfrom pathlib import Path"),
        parameters(
            "day = dt.date(2024, 1, 31)  # first day [2020-01-01, ]\n"
            "data = Path('data') / 'flights.csv'\n"
            "days: list[dt.date] = [dt.date(2024, 1, 1)]\n"
            "Path = None"
        ),
        code("print('RESULT', [day, data, days])"),
    )

    usual = run_script(path)
    given = run_script(path, "--day", "2024-02-29", "--data", "x", "--days", '["2024-05-01"]')
    wrong = run_script(path, "--day", "2024-02-30")
    early = run_script(path, "--day", "2019-12-31")

    assert "[datetime.date(2024, 1, 31), PosixPath('data/flights.csv'), [" in usual.stdout
    assert (
        "[datetime.date(2024, 2, 29), PosixPath('x'), [datetime.date(2024, 5, 1)]]" in given.stdout
    )
    assert "argument --day: invalid date value: '2024-02-30'" in wrong.stderr
    assert "argument --day: 2019-12-31 is not in [2020-01-01, ]" in early.stderr
    assert "RESULT" not in wrong.stdout + early.stdout


def test_script_help_shows_types_defaults_and_texts(tmp_path: Path) -> None:
    done = run_script(write_script(tmp_path, *CELLS), "--help")

    assert done.returncode == 0, done.stderr
    assert "Forecast 100%" in done.stdout
    for shown in (
        'origin and carrier (Literal["JFK-DL", "EWR-UA"], default: "JFK-DL")',
        "100% of the weight (float, default: 0.2)",
        "--fast, --no-fast",
        "fewer epochs (bool, default: False)",
        "(list[int], default: [7, 14])",
        "(int | None, default: None)",
        '(dict, default: {"a": 1})',
    ):
        assert shown in done.stdout
    assert "computed" not in done.stdout


def test_script_without_options_uses_the_notebooks_values(tmp_path: Path) -> None:
    done = run_script(write_script(tmp_path, *CELLS))

    assert done.returncode == 0, done.stderr
    assert result_of(done.stdout) == {
        "market": "JFK-DL",
        "alpha": 0.2,
        "x": 1,
        "fast": False,
        "days": [7, 14],
        "limit": None,
        "options": {"a": 1},
        "files": ["JFK-DL", "second"],
        "total": 21,
    }
    assert "\n21\n" in done.stdout
    assert "Wall time: " in done.stdout


def test_script_with_options_uses_them_typed(tmp_path: Path) -> None:
    options = ["--market", "EWR-UA", "--alpha", "1e-3", "--x", "3", "--fast", "--days", "[1]"]
    done = run_script(
        write_script(tmp_path, *CELLS), *options, "--limit", "4", "--options", '{"b": [2]}'
    )

    assert done.returncode == 0, done.stderr
    assert result_of(done.stdout) == {
        "market": "EWR-UA",
        "alpha": 0.001,
        "x": 3,
        "fast": True,
        "days": [1],
        "limit": 4,
        "options": {"b": [2]},
        "files": ["EWR-UA", "second"],
        "total": 1,
    }


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--x", "1.5"], id="fraction"),
        pytest.param(["--market", "LGA-AA"], id="no-choice"),
        pytest.param(["--days", '["a"]'], id="wrong-items"),
        pytest.param(["--options", "[]"], id="no-dict"),
        pytest.param(["--mark", "JFK-DL"], id="abbreviation"),
        pytest.param(["--nope", "1"], id="unknown"),
    ],
)
def test_script_with_a_wrong_option_stops_before_the_notebook_goes_on(
    tmp_path: Path, options: list[str]
) -> None:
    done = run_script(write_script(tmp_path, *CELLS), *options)

    assert done.returncode == 2
    assert options[0] in done.stderr
    assert "RESULT" not in done.stdout


def test_script_with_awkward_parameter_names_runs(tmp_path: Path) -> None:
    cells = (
        parameters("help = 1\n_ = 2\nno_x = True\nx = False\njson = [1]\nparser = 'p'\nargs = 1.0"),
        code("print('RESULT [' + ', '.join(map(repr, [help, _, x, no_x, json, parser])) + ']')"),
    )
    path = write_script(tmp_path, *cells)
    done = run_script(path, "--parameter-help", "5", "--json", "[2]", "--parser", "q")

    assert run_script(path, "--help").returncode == 0
    assert done.returncode == 0, done.stderr
    assert "RESULT [5, 2, False, True, [2], 'q']" in done.stdout


def test_script_of_a_captured_error_shows_the_traceback(tmp_path: Path) -> None:
    done = run_script(write_script(tmp_path, code("%%capture\nprint('quiet')\n1 / 0")))

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "quiet" not in done.stdout


def test_script_is_clean_for_ruff(tmp_path: Path) -> None:
    cells = (*CELLS[:2], code("%%time\nprint(math.pi)"), *CELLS[2:])
    path = write_script(tmp_path, *cells)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_script_as_a_notebook_runs_in_a_kernel_with_papermills_parameters(tmp_path: Path) -> None:
    import jupytext
    import papermill

    path = write_script(tmp_path, *CELLS)
    node = jupytext.read(path)
    jupytext.write(node, tmp_path / "in.ipynb")
    executed = papermill.execute_notebook(
        str(tmp_path / "in.ipynb"),
        None,
        parameters={"x": 5, "market": "EWR-UA"},
        kernel_name="python3",
        progress_bar=False,
    )
    printed = "".join(
        output["text"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    )

    assert result_of(printed)["x"] == 5
    assert result_of(printed)["files"] == ["EWR-UA", "second"]


def test_script_read_back_runs_the_authors_magics_in_a_kernel(tmp_path: Path) -> None:
    import nbclient

    from nb2prod.notebook.reading import to_node

    given = from_script(write_script(tmp_path, *CELLS).read_text(encoding="utf-8"), name="train")
    executed = nbclient.execute(to_node(given), cwd=str(tmp_path))
    printed = "".join(
        output["text"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    )

    assert result_of(printed)["files"] == ["JFK-DL", "second"]


def convert(folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "nb2prod", path.name],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
    )


def test_nbconvert_writes_the_script_and_its_assets(tmp_path: Path) -> None:
    picture = markdown("![](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA"}})
    path = write_notebook(tmp_path / "train.ipynb", picture, *CELLS, code("import numpy"))
    done = convert(tmp_path, path)

    assert done.returncode == 0, done.stderr
    script = (tmp_path / "train.py").read_text(encoding="utf-8")
    assert '#     "numpy",' in script
    assert "# ![](assets/a.png)" in script
    assert list(tmp_path.rglob("a.png"))
    assert result_of(run_script(write_script(tmp_path, *CELLS), "--x", "3").stdout)["x"] == 3


def test_nbconvert_of_a_refused_magic_names_the_cell(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "train.ipynb", code("x = 1"), code("%%cython\ndef f(): pass"))
    done = convert(tmp_path, path)

    assert done.returncode != 0
    assert "Cell 2, line 1: `%%cython` can't become plain Python" in done.stderr
    assert not (tmp_path / "train.py").exists()
