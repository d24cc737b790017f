"""Plain papermill with our engine, as CI and people at a terminal use it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from nb2prod.errors import NotAVersion, ParameterInvalid, ParameterUnknown, ReferenceInvalid
from nb2prod.execution.models import CellStatus, RunStatus
from nb2prod.execution.papermill_io import VersionHandler
from nb2prod.execution.run import RunOptions
from nb2prod.execution.runs import list_runs
from tests.helpers.kernels import Bench, make_version, open_bench, statuses
from tests.helpers.notebooks import code, markdown, parameters, write_notebook

TRAIN = (
    markdown("# Seats"),
    parameters('market: str = "JFK-DL"\nalpha: float = 1.0\nmarkets: list[str] = []'),
    code("print(market, alpha, markets)"),
    code("1 / 0", tags=["raises-exception"]),
    code("assert market != 'BAD', 'bad market'"),
    code("import os\nif market == 'DIE': os._exit(1)"),
)


# MLflow's own use of its libraries; ours stay errors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    shared = tmp_path_factory.getbasetemp() / "mlflow.db"
    with open_bench(tmp_path_factory.mktemp("engine"), mlflow=shared) as opened:
        make_version(opened.repository, *TRAIN)
        assert opened.project.name == "seats"
        yield opened


def run_papermill(
    bench: Bench, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    settings = bench.workspace.settings
    environment = {
        **os.environ,
        "NB2PROD_HOME": str(settings.home),
        "NB2PROD_MLFLOW_URI": settings.mlflow_uri,
    }
    return subprocess.run(
        [sys.executable, "-m", "papermill", *arguments],
        cwd=cwd or bench.repository.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_papermill_runs_a_version_records_it_and_writes_the_notebook(
    bench: Bench, tmp_path: Path
) -> None:
    output = tmp_path / "out.ipynb"

    done = run_papermill(
        bench,
        *("nb2prod://./train@v1", str(output), "--engine", "nb2prod", "--log-output"),
        *("-p", "market", "EWR-UA", "-p", "alpha", "2", "-y", "markets: [a, b]"),
    )

    # The expected error is no failure, though papermill's own engine makes one of it.
    assert done.returncode == 0, done.stderr
    record = list_runs(bench.workspace, person="ada")[0]
    assert record.status is RunStatus.SUCCEEDED
    assert record.requested_via == "papermill"
    assert record.parameters == {"market": "EWR-UA", "alpha": 2.0, "markets": ["a", "b"]}
    assert f"nb2prod run {record.id} of train@v1" in done.stderr
    assert "EWR-UA 2.0 ['a', 'b']" in done.stderr
    notebook = read(output)
    nbformat.validate(notebook)
    injected = notebook["cells"][2]
    assert injected["metadata"]["tags"] == ["injected-parameters"]
    assert 'market: str = "EWR-UA"\nalpha: float = 2.0' in "".join(injected["source"])
    assert [output["output_type"] for output in notebook["cells"][4]["outputs"]] == ["error"]
    assert notebook["metadata"]["papermill"]["parameters"] == record.parameters
    assert notebook["metadata"]["nb2prod"]["run"] == record.id
    assert [cell["execution_count"] for cell in notebook["cells"] if "outputs" in cell] == [
        *range(1, 7)
    ]


def test_papermill_finds_a_project_by_name_from_anywhere(bench: Bench, tmp_path: Path) -> None:
    done = run_papermill(
        bench, "nb2prod://seats/train", "out.ipynb", "--engine", "nb2prod", cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.ipynb").exists()


def test_papermill_that_guessed_a_number_for_a_text_is_refused_before_any_run(
    bench: Bench, tmp_path: Path
) -> None:
    before = list_runs(bench.workspace, person="ada")

    done = run_papermill(
        bench,
        *("nb2prod://./train@v1", str(tmp_path / "out.ipynb"), "--engine", "nb2prod"),
        *("-p", "market", "01"),
    )

    assert done.returncode != 0
    assert "`-r NAME VALUE`" in done.stderr
    assert list_runs(bench.workspace, person="ada") == before


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"markt": "x"}, ParameterUnknown, "Did you mean market?"),
        ({"alpha": "much"}, ParameterInvalid, "Parameter alpha is float"),
    ],
    ids=["unknown", "a text for a number"],
)
def test_engine_refuses_wrong_parameters_before_any_run(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setenv("NB2PROD_HOME", str(bench.workspace.settings.home))
    monkeypatch.chdir(bench.repository.root)
    notebook = nbformat.reads(VersionHandler.read("nb2prod://./train@v1"), as_version=4)
    before = list_runs(bench.workspace, person="ada")

    with pytest.raises(error, match=words.replace("?", r"\?")):
        papermill.execute_notebook(
            notebook, None, parameters=values, engine_name="nb2prod", progress_bar=False
        )
    assert list_runs(bench.workspace, person="ada") == before


@pytest.mark.parametrize(
    ("market", "status", "exit_status", "words"),
    [
        ("BAD", RunStatus.FAILED, 1, "AssertionError: bad market"),
        ("DIE", RunStatus.KERNEL_DIED, 138, "The kernel died in cell 7"),
    ],
    ids=["error", "dead kernel"],
)
def test_papermill_of_a_run_that_fails_has_an_exit_status_and_a_true_notebook(
    bench: Bench, tmp_path: Path, market: str, status: RunStatus, exit_status: int, words: str
) -> None:
    output = tmp_path / "out.ipynb"

    done = run_papermill(
        bench,
        *("nb2prod://./train@v1", str(output), "--engine", "nb2prod", "-r", "market", market),
    )

    assert done.returncode == exit_status
    assert words in done.stderr
    record = list_runs(bench.workspace, person="ada")[0]
    assert record.status is status
    notebook = read(output)
    told = [
        cell["metadata"]["nb2prod"]["status"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    assert told == [cell.status.value for cell in record.cells]
    assert notebook["metadata"]["papermill"]["exception"] is True


def test_dates_and_paths_reach_the_notebook_as_the_authors_own_are(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NB2PROD_HOME", str(bench.workspace.settings.home))
    monkeypatch.setenv("NB2PROD_MLFLOW_URI", bench.workspace.settings.mlflow_uri)
    monkeypatch.chdir(bench.repository.root)
    make_version(
        bench.repository,
        code("from datetime import date, datetime\nfrom pathlib import Path"),
        parameters(
            "date = date(2024, 1, 31)  # first day [2020-01-01, ]\n"
            "cutoff = datetime(2024, 1, 31, 12)\n"
            "data = Path('data') / 'flights.csv'\n"
            "days = [cutoff.date(), cutoff.date()]\n"
            "last: 'date | None' = None\n"
            "sources: list[Path] = []"
        ),
        code("print([date, cutoff, data, last, sources])"),
        name="dated",
    )
    given: dict[str, object] = {
        "date": date(2024, 2, 29),
        "cutoff": "2024-02-29 08:30",
        "data": Path("data") / "sample.csv",
        "last": "2024-03-01",
        "sources": [Path("a.csv"), "b.csv"],
    }

    executed = papermill.execute_notebook(
        nbformat.reads(VersionHandler.read("nb2prod://./dated"), as_version=4),
        None,
        parameters=given,
        engine_name="nb2prod",
        progress_bar=False,
    )

    (printed,) = executed.cells[-1].outputs
    assert printed.text == (
        "[datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 8, 30),"
        " PosixPath('data/sample.csv'), datetime.date(2024, 3, 1),"
        " [PosixPath('a.csv'), PosixPath('b.csv')]]\n"
    )
    record = list_runs(bench.workspace, person="ada")[0]
    assert record.parameters == {
        "date": "2024-02-29",
        "cutoff": "2024-02-29T08:30:00",
        "data": "data/sample.csv",
        "last": "2024-03-01",
        "sources": ["a.csv", "b.csv"],
    }
    done = run_papermill(
        bench,
        *("nb2prod://./dated", str(tmp_path / "out.ipynb"), "--engine", "nb2prod"),
        *("-p", "date", "2019-12-31"),
    )
    assert done.returncode != 0
    assert "must be in [2020-01-01, ]" in done.stderr


def test_papermill_without_our_engine_reads_just_the_notebook(bench: Bench, tmp_path: Path) -> None:
    before = list_runs(bench.workspace, person="ada")

    done = run_papermill(
        bench, "nb2prod://./train@v1", str(tmp_path / "out.ipynb"), "--prepare-only"
    )

    assert done.returncode == 0, done.stderr
    assert "print(market, alpha" in (tmp_path / "out.ipynb").read_text()
    assert list_runs(bench.workspace, person="ada") == before


def test_engine_refuses_a_notebook_that_is_no_version(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "any.ipynb", code("print(1)"))

    with pytest.raises(NotAVersion, match="nb2prod promote"):
        papermill.execute_notebook(path, None, engine_name="nb2prod", progress_bar=False)


def test_engine_refuses_a_version_whose_cells_were_changed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NB2PROD_HOME", str(bench.workspace.settings.home))
    monkeypatch.chdir(bench.repository.root)
    notebook = json.loads(VersionHandler.read("nb2prod://./train@v1"))
    notebook["cells"][2]["source"] = "print('mine')"
    (tmp_path / "changed.ipynb").write_text(json.dumps(notebook))
    before = [record.id for record in list_runs(bench.workspace, person="ada")]

    with pytest.raises(NotAVersion, match="not that version's"):
        papermill.execute_notebook(
            tmp_path / "changed.ipynb", None, engine_name="nb2prod", progress_bar=False
        )
    assert [record.id for record in list_runs(bench.workspace, person="ada")] == before


def test_handler_lists_versions_and_refuses_to_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.repository.root)

    assert "nb2prod://./train@v1" in VersionHandler.listdir("nb2prod://./")
    with pytest.raises(NotAVersion, match="nb2prod promote"):
        VersionHandler.write("{}", "nb2prod://./train@v1")
    with pytest.raises(ReferenceInvalid, match="no address"):
        VersionHandler.read("nb2prod://")


def test_run_version_refuses_unknown_parameters_and_makes_no_run(bench: Bench) -> None:
    before = list_runs(bench.workspace, person="ada")

    with pytest.raises(ParameterUnknown, match="markt"):
        bench.run(*TRAIN, values={"markt": "x"}, name="other")
    assert list_runs(bench.workspace, person="ada") == before


def test_run_version_works_in_the_versions_folder_and_writes_the_notebook(
    bench: Bench, tmp_path: Path
) -> None:
    (bench.repository.root / "deep").mkdir()
    version = make_version(
        bench.repository,
        code("import os\nprint(os.path.basename(os.getcwd()))"),
        name="deep",
        directory="deep",
    )
    from nb2prod.execution.run import run_version

    options = RunOptions(output_path=tmp_path / "out.ipynb", requested_via="schedule")
    record = run_version(bench.workspace, bench.project, version, {}, options=options)

    assert bench.printed(record) == "deep\n"
    assert read(tmp_path / "out.ipynb") == bench.executed(record)
    assert record.requested_via == "schedule"


def test_run_version_works_where_an_event_loop_runs_already(bench: Bench) -> None:
    async def within() -> RunStatus:
        return bench.run(code("print(1)"), name="within").status

    assert asyncio.run(within()) is RunStatus.SUCCEEDED


def test_rich_output_is_kept_as_a_front_end_would_show_it(bench: Bench) -> None:
    record = bench.run(
        code(
            "from IPython.display import HTML, clear_output, display\n"
            "handle = display(HTML('<b>old</b>'), display_id='one')\n"
            "print('a', end='', flush=True); print('b', flush=True)\n"
            "import time, sys\n"
            "for i in range(3):\n    sys.stdout.write(f'\\r{i} %'); sys.stdout.flush()"
        ),
        code("handle.update(HTML('<b>new</b>'))"),
        code(
            "for i in range(3):\n    clear_output(wait=True)\n    print(i, flush=True)\n"
            "    time.sleep(0.01)"
        ),
        code("import ipywidgets\nipywidgets.IntSlider(value=7)"),
        code("out = ipywidgets.Output()\nwith out:\n    print('inside')\nout"),
        code("for i in range(3000): display(i)"),
        name="rich",
    )

    assert statuses(record) == [CellStatus.SUCCEEDED] * 6
    notebook = bench.executed(record)
    first, _, third, slider, captured, many = [cell["outputs"] for cell in notebook["cells"]]
    assert first[0]["data"]["text/html"] == "<b>new</b>"
    assert [output["text"] for output in first[1:]] == ["ab\n2 %"]
    assert [output["text"] for output in third] == ["2\n"]
    widgets = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]
    model = slider[0]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert widgets["state"][model]["state"]["value"] == 7
    model = captured[0]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert widgets["state"][model]["state"]["outputs"][0]["text"] == "inside\n"
    assert [output["data"]["text/plain"] for output in many] == [str(i) for i in range(3000)]
    nbformat.validate(notebook)


def test_messages_that_are_not_as_usual_do_not_end_the_run(bench: Bench) -> None:
    record = bench.run(
        code(
            "from comm import create_comm\n"
            "for data in ({'state': 'ready'}, ['state'], {}): create_comm('mine', data=data)\n"
            "handle = display('old', display_id=5)"
        ),
        code("display('new', display_id=5, update=True)\nprint('end')"),
        name="unusual",
    )

    assert statuses(record) == [CellStatus.SUCCEEDED] * 2
    assert bench.printed(record) == "'new'end\n"


def test_executed_notebook_goes_where_a_link_leads(bench: Bench, tmp_path: Path) -> None:
    link, target = tmp_path / "link.ipynb", tmp_path / "target.ipynb"
    link.symlink_to(target)

    record = bench.run(code("1"), name="through", options=RunOptions(output_path=link))

    assert link.is_symlink()
    assert read(target) == bench.executed(record)


def test_executed_notebook_goes_into_a_pipe_and_does_not_replace_it(
    bench: Bench, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(pipe.read_bytes)
        record = bench.run(code("1"), name="piped", options=RunOptions(output_path=pipe))

        assert json.loads(written.result(10)) == bench.executed(record)
    assert pipe.is_fifo()
