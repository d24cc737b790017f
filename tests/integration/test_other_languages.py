"""Notebooks in R and bash with their real kernels: promoted, run, recorded, and shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import papermill
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nb2prod.errors import KernelUnavailable, ParameterInvalid
from nb2prod.execution.models import CellStatus, RandomSource, RunRecord, RunStatus
from nb2prod.execution.papermill_io import version_node
from nb2prod.execution.run import RunOptions, run_version
from nb2prod.execution.runs import list_runs
from nb2prod.knowledge.render import render
from nb2prod.notebook.bash_parameters import write_bash
from nb2prod.notebook.models import Cell
from nb2prod.notebook.parameters import Parameter, ParameterType, find_parameters
from nb2prod.notebook.r_values import write_r
from nb2prod.registry.environments import environment_of_image
from nb2prod.registry.models import Reference, Version
from nb2prod.registry.versions import confirm, load_version, propose
from tests.helpers.kernels import Bench, open_bench, statuses
from tests.helpers.notebooks import code, markdown, parameters
from tests.helpers.other_kernels import (
    notebook_in,
    require_r,
    write_kernelspecs,
    write_notebook_in,
)

NOT_RUN, FAILED, SUCCEEDED = CellStatus.NOT_RUN, CellStatus.FAILED, CellStatus.SUCCEEDED

# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

R_CELLS = (
    markdown("# Delays"),
    parameters(
        'market <- "JFK"  # airport\n'
        "alpha <- 0.5  # weight [0, 1]\n"
        "n <- 10L\n"
        'day <- as.Date("2024-01-31")\n'
        "lags <- c(1L, 7L)\n"
        "limit <- NA_integer_\n"
        "model <- list(trees = 100, names = c('a', 'b'))"
    ),
    code(
        "cat(jsonlite::toJSON(list(market, alpha, n, format(day), lags, is.na(limit), model),"
        " auto_unbox = TRUE, digits = NA))\n"
        'cat("\\n", class(n), class(alpha), class(day), class(lags), class(model$trees), "\\n")'
    ),
    code("data.frame(lag = lags)"),
    code("plot(lags)"),
    code('if (market == "BAD") stop("bad market ", market)'),
)
BASH_CELLS = (
    markdown("# Copy"),
    parameters(
        'market="JFK"  # airport\nn=10\nalpha=0.50\nflag=true\nlags=(1 7)\nlimit=  # type: int'
    ),
    code('printf \'%s|\' "$market" "$n" "$alpha" "$flag" "${#lags[@]}" "${lags[@]}" "$limit"'),
    code('[ "$market" != BAD ]'),
    code("echo done"),
)
AWKWARD = 'it\'s "ü" $HOME `id` !x \\ %s\t*'


@pytest.fixture(scope="module", autouse=True)
def kernelspecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = write_kernelspecs(tmp_path_factory.mktemp("jupyter"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("languages"), mlflow=shared) as opened:
        yield opened


def promote(bench: Bench, language: str, name: str, *cells: Cell) -> Version:
    """Promote a notebook as a person does; a version that is there already is the same one."""
    path = bench.repository.root / f"{name}.ipynb"
    proposal = propose(write_notebook_in(language, path, *cells))
    assert not proposal.is_blocked, proposal.findings
    return confirm(proposal)


def run(bench: Bench, version: Version, **values: object) -> RunRecord:
    return run_version(bench.workspace, bench.project, version, values, options=RunOptions())


def injected(bench: Bench, record: RunRecord) -> str:
    cells = bench.executed(record)["cells"]
    return next(
        str(cell["source"])
        for cell in cells
        if "injected-parameters" in cell["metadata"].get("tags", ())
    )


def test_r_notebook_is_promoted_as_an_r_script_with_what_r_has_installed(bench: Bench) -> None:
    require_r()

    version = promote(bench, "r", "delays", *R_CELLS)

    files = bench.repository.list_files(version.commit, "pipelines/delays")
    assert "pipelines/delays/delays.R" in files
    assert version.manifest.language == "r"
    assert version.manifest.kernel_name == "ir"
    assert version.lock.text.startswith("R==")
    assert "\nIRkernel==" in version.lock.text
    assert version.lock.interpreter == version.lock.text.partition("\n")[0].replace("==", " ")
    assert [item.type_text for item in version.manifest.parameters] == [
        "str", "float", "int", "date", "list[int]", "int | None", "dict",
    ]  # fmt: skip
    assert load_version(bench.repository.root, Reference("delays")) == version
    again = propose(bench.repository.root / "delays.ipynb")
    assert again.is_unchanged


def test_r_version_runs_with_typed_values_and_without_any(bench: Bench) -> None:
    require_r()
    version = promote(bench, "r", "delays", *R_CELLS)

    plain = run(bench, version)
    changed = run(
        bench, version, market=AWKWARD, alpha="0.1", n="3", day="2025-02-28", lags=[2], limit=4,
        model={"trees": 5.0, "names": ["c"]},
    )  # fmt: skip

    assert plain.status is RunStatus.SUCCEEDED, plain.reason
    assert injected(bench, plain) == "# All values are as in the cell above."
    classes = " integer numeric Date integer numeric"
    assert json.loads(bench.printed(plain).splitlines()[0]) == [
        "JFK", 0.5, 10, "2024-01-31", [1, 7], True, {"trees": 100, "names": ["a", "b"]},
    ]  # fmt: skip
    assert classes in bench.printed(plain)
    assert changed.status is RunStatus.SUCCEEDED, changed.reason
    assert json.loads(bench.printed(changed).splitlines()[0]) == [
        AWKWARD, 0.1, 3, "2025-02-28", 2, False, {"trees": 5, "names": "c"},
    ]  # fmt: skip
    assert classes in bench.printed(changed)
    assert changed.parameters["lags"] == [2]
    assert len(changed.notes) == 1
    assert changed.notes[0].startswith("What a notebook in R reads and writes isn't followed")
    assert not changed.is_lineage_complete


def test_r_text_is_the_same_where_the_service_has_no_locale(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_r()
    for name in ("LANG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    cells = (parameters('city <- "Zürich"'), code('cat(city, nchar(city), nchar("ü"))'))
    version = promote(bench, "r", "locale", *cells)

    record = run(bench, version, city="Köln")

    assert bench.printed(record) == "Köln 4 1"


def test_r_error_is_the_failure_of_its_cell(bench: Bench) -> None:
    require_r()
    version = promote(bench, "r", "delays", *R_CELLS)

    record = run(bench, version, market="BAD")

    assert record.status is RunStatus.FAILED
    assert record.reason.startswith("Cell 7 failed: Error in eval(")
    assert record.reason.endswith("bad market BAD")
    assert statuses(record)[-1] is FAILED


def test_r_that_is_quit_is_no_success(bench: Bench) -> None:
    require_r()
    version = promote(bench, "r", "quits", code("x <- 1"), code("quit(status = 3)"), code("x"))

    record = run(bench, version)

    assert record.status is RunStatus.FAILED
    assert record.reason.startswith("Cell 2 quit R; the kernel doesn't tell with which status.")
    assert statuses(record) == [SUCCEEDED, FAILED, NOT_RUN]


def test_r_cell_over_its_time_is_given_up(bench: Bench) -> None:
    require_r()
    version = promote(bench, "r", "sleeps", code("Sys.sleep(60)"), code("1"))

    record = run_version(
        bench.workspace, bench.project, version, {}, options=RunOptions(cell_timeout_s=1)
    )

    assert record.status is RunStatus.TIMED_OUT
    assert statuses(record) == [CellStatus.TIMED_OUT, NOT_RUN]


def test_page_of_an_r_run_shows_its_code_table_and_plot(bench: Bench) -> None:
    require_r()
    record = run(bench, promote(bench, "r", "delays", *R_CELLS))

    page = render(bench.executed(record), record, bench.workspace.blobs)

    shown = page.cells
    assert '<span class="o">&lt;-</span>' in shown[1].html
    kinds = [output.kind for cell in shown for output in cell.outputs]
    assert "image" in kinds
    assert any("<td>7</td>" in (output.html or "") for output in shown[4].outputs)
    assert "delays-v1.R" in {blob.name for blob in page.blobs}


@pytest.mark.parametrize("language", ["r", "bash"])
def test_values_of_a_wrong_type_are_refused_before_there_is_a_run(
    bench: Bench, language: str
) -> None:
    if language == "r":
        require_r()
    cells = R_CELLS if language == "r" else BASH_CELLS
    version = promote(bench, language, f"typed-{language}", *cells)
    before = len(list_runs(bench.workspace, person="ada"))

    for name, value in (("n", "many"), ("alpha", "x"), ("market", "a\0b")):
        with pytest.raises(ParameterInvalid, match=name):
            run(bench, version, **{name: value})

    assert len(list_runs(bench.workspace, person="ada")) == before


def test_bash_notebook_is_promoted_and_runs_with_typed_values(bench: Bench) -> None:
    version = promote(bench, "bash", "copy", *BASH_CELLS)
    assert "pipelines/copy/copy.sh" in bench.repository.list_files(version.commit, "pipelines/copy")
    assert version.lock.text.startswith("bash==")

    plain = run(bench, version)
    changed = run(
        bench, version, market=AWKWARD, n=3, alpha=0.25, flag=False, lags=[2, 3, 4], limit=5
    )

    assert plain.status is RunStatus.SUCCEEDED, plain.reason
    assert "JFK|10|0.50|true|2|1|7||" in bench.printed(plain)
    assert changed.status is RunStatus.SUCCEEDED, changed.reason
    assert f"{AWKWARD}|3|0.25|false|3|2|3|4|5|" in bench.printed(changed)
    assert len(changed.notes) == 1
    assert changed.notes[0].startswith("What a notebook in bash reads and writes isn't followed")


def test_bash_command_that_fails_last_is_the_failure_of_its_cell(bench: Bench) -> None:
    version = promote(bench, "bash", "copy", *BASH_CELLS)

    record = run(bench, version, market="BAD")

    assert (record.status, record.reason) == (RunStatus.FAILED, "Cell 5 failed: exit status 1")
    assert statuses(record) == [SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED, NOT_RUN]


@pytest.mark.parametrize("source", ["exit 0", "set -e\nfalse\necho not here"])
def test_bash_that_has_ended_is_the_failure_of_its_cell(bench: Bench, source: str) -> None:
    name = f"ends-{len(source)}"
    path = bench.repository.root / f"{name}.ipynb"
    proposal = propose(write_notebook_in("bash", path, code("x=1"), code(source), code("echo $x")))
    record = run(bench, confirm(proposal))

    assert "shell-ended" in {finding.code for finding in proposal.findings}
    assert record.status is RunStatus.FAILED
    assert record.reason.startswith("Cell 2 ended its bash")
    assert statuses(record) == [SUCCEEDED, FAILED, NOT_RUN]


def test_bash_cell_that_somebody_interrupts_is_no_success(bench: Bench) -> None:
    # The kernel answers neither "ok" nor "error".
    cells = (code("kill -INT $PPID\nsleep 30"), code("echo not here"))

    record = run(bench, promote(bench, "bash", "interrupted", *cells))

    assert record.status is RunStatus.FAILED
    assert record.reason == "Cell 1 did not come to its end: the kernel says 'abort'."
    assert statuses(record) == [FAILED, NOT_RUN]


@pytest.mark.parametrize("language", ["r", "bash"])
def test_papermill_runs_a_version_with_parameters(
    bench: Bench, tmp_path: Path, language: str
) -> None:
    if language == "r":
        require_r()
    cells = R_CELLS if language == "r" else BASH_CELLS
    promote(bench, language, f"by-papermill-{language}", *cells)
    output = tmp_path / "out.ipynb"
    own = bench.workspace.settings
    done = subprocess.run(
        [sys.executable, "-m", "papermill", f"nb2prod://./by-papermill-{language}", str(output),
         "--engine", "nb2prod", "-r", "market", "it's", "-p", "n", "4", "--no-progress-bar"],
        cwd=bench.repository.root,
        env={
            **os.environ,
            "NB2PROD_HOME": str(own.home),
            "NB2PROD_MLFLOW_URI": own.mlflow_uri or "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    executed: dict[str, Any] = json.loads(output.read_text())
    sources = ["".join(cell["source"]) for cell in executed["cells"] if "outputs" in cell]
    expected = 'market <- "it\'s"\nn <- 4L' if language == "r" else "market='it'\\''s'\nn=4"
    assert sources[1] == expected
    assert executed["metadata"]["papermill"]["parameters"]["n"] == 4


@pytest.mark.parametrize("language", ["r", "bash"])
def test_promoted_script_runs_on_its_own(bench: Bench, tmp_path: Path, language: str) -> None:
    if language == "r":
        require_r()
    cells = R_CELLS if language == "r" else BASH_CELLS
    version = promote(bench, language, f"alone-{language}", *cells)
    script = tmp_path / "script"
    script.write_text(version.script)

    program = ["Rscript", "--vanilla"] if language == "r" else ["bash"]
    done = subprocess.run(
        [*program, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert ('["JFK",0.5,10' if language == "r" else "JFK|10|0.50|true") in done.stdout


@pytest.mark.parametrize(
    ("language", "source", "line"), [("r", "x <- 1\ny <- (", 3), ("bash", "if true; then", 2)]
)
def test_cell_that_the_language_refuses_blocks(
    bench: Bench, language: str, source: str, line: int
) -> None:
    if language == "r":
        require_r()
    path = bench.repository.root / "broken.ipynb"

    proposal = propose(write_notebook_in(language, path, code("x=1"), code(source)))

    (found,) = [item for item in proposal.findings if item.code == "syntax-error"]
    assert (found.cell, found.line) == (2, line)
    assert proposal.is_blocked
    assert proposal.script == ""


@pytest.mark.parametrize(
    ("language", "cell", "source"), [("r", "n <- 1L", "cat(n)"), ("bash", "n=1", "echo $n")]
)
def test_version_as_a_notebook_is_one_that_papermills_own_engine_runs(
    bench: Bench, language: str, cell: str, source: str
) -> None:
    """papermill finds its translator by the language's name, which for R has a capital."""
    if language == "r":
        require_r()
    version = promote(bench, language, f"plain-{language}", parameters(cell), code(source))

    executed = papermill.execute_notebook(
        version_node(version, project=None), None, parameters={"n": 5}, progress_bar=False
    )

    assert executed.cells[2].outputs[0].text.strip() == "5"


def test_image_without_the_kernel_says_where_such_a_notebook_runs(tmp_path: Path) -> None:
    given = notebook_in("r", code("1"))
    assert find_parameters(given).parameters == ()

    with pytest.raises(KernelUnavailable, match=r"'ir'.*In another language"):
        environment_of_image(tmp_path, "nb2prod/base", given.kernel_name)


# Each example starts a program.
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.fixed_dictionaries(
    {
        "texts": st.lists(TEXT, min_size=1, max_size=8),
        "integers": st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=8),
        "floats": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8),
        "flags": st.lists(st.booleans(), max_size=4),
        "days": st.lists(st.dates().map(str), min_size=1, max_size=4),
    }
)
TYPES = {
    "texts": ParameterType.STRING,
    "integers": ParameterType.INTEGER,
    "floats": ParameterType.FLOAT,
    "flags": ParameterType.BOOLEAN,
    "days": ParameterType.DATE,
}
LISTS = [Parameter(name, ParameterType.LIST, None, item_type=kind) for name, kind in TYPES.items()]
# Its texts as bytes, and its numbers with all their digits: so that nothing but the value counts.
R_SHOWS = """
for (text in texts) cat("text", as.character(charToRaw(enc2utf8(text))), "\\n")
cat("integers", class(integers), sprintf("%d", integers), "\\n")
cat("floats", class(floats), sprintf("%.17g", floats), "\\n")
cat("flags", class(flags), flags, "\\n")
cat("days", class(days), format(days), "\\n")
"""


@settings(max_examples=10, deadline=None, phases=WITHOUT_SHRINKING)
@given(VALUES)
def test_r_itself_reads_the_values_that_are_written(values: dict[str, Any]) -> None:
    require_r()

    said = _ran(["Rscript", "--vanilla", "-"], write_r(LISTS, values) + R_SHOWS)

    lines = [line.split() for line in said.splitlines()]
    texts = [bytes.fromhex("".join(words)).decode() for name, *words in lines if name == "text"]
    others = {words[0]: (words[1], words[2:]) for words in lines if words[0] != "text"}
    assert texts == values["texts"]
    assert others["integers"] == ("integer", list(map(str, values["integers"])))
    assert others["floats"][0] == "numeric"
    assert list(map(float, others["floats"][1])) == values["floats"]
    assert others["flags"] == ("logical", [str(flag).upper() for flag in values["flags"]])
    assert others["days"][0] == "Date"
    # R leaves out the zeros of the first thousand years.
    assert [day.rjust(10, "0") for day in others["days"][1]] == values["days"]


@settings(max_examples=20, deadline=None, phases=WITHOUT_SHRINKING)
@given(st.lists(TEXT, min_size=1, max_size=8))
def test_bash_itself_reads_the_texts_that_are_written(texts: list[str]) -> None:
    source = write_bash(LISTS[:1], {"texts": texts})

    said = _ran(["bash"], f"{source}\nprintf '%s\\0' \"${{texts[@]}}\"")

    assert said.split("\0")[:-1] == texts


def _ran(command: list[str], source: str) -> str:
    done = subprocess.run(
        command, input=source.encode(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("language", "source", "random"),
    [("r", "cat(runif(2))", RandomSource.R), ("bash", "echo $RANDOM $RANDOM", RandomSource.BASH)],
)
def test_run_draws_the_same_random_numbers_again(
    bench: Bench, language: str, source: str, random: RandomSource
) -> None:
    if language == "r":
        require_r()
    version = promote(bench, language, "draw", code(source))

    runs = [run(bench, version) for _ in range(2)]

    first, second = (bench.printed(record) for record in runs)
    assert first == second
    assert len(set(first.split())) == 2
    assert all(record.conditions and record.conditions.seeded == (random,) for record in runs)
