"""Each type of parameter from its line in a cell to every place that shows, reads or writes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from nb2prod.errors import ParameterInvalid
from nb2prod.export.options import options_source
from nb2prod.jobs.sweep_values import plan_sweep
from nb2prod.notebook.parameter_python import PYTHON_TYPES
from nb2prod.notebook.parameter_types import TYPES
from nb2prod.notebook.parameters import (
    Parameter,
    ParameterType,
    find_parameters,
    read_values,
    to_source,
)
from nb2prod.registry.manifest import read_manifest, write_manifest
from nb2prod.registry.models import Manifest
from nb2prod.registry.remote_promotion import parameter_of_answer
from nb2prod.server.run_form import kind_of
from nb2prod.server.version_models import ParameterBody
from tests.helpers.notebooks import code, notebook, parameters

IMPORTS = (
    "import datetime as dt\n"
    "from datetime import date, datetime, timezone\n"
    "from pathlib import Path\n"
    "from typing import Annotated, Final, List, Literal, Optional, Union"
)
# An author may give the names of classes and modules other meanings.
SHADOWED = "date = datetime = Path = dt = pathlib = None"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is expected of one line."""

    line: str
    type_text: str
    # As JSON has them: the default, and what `written` says.
    default: Any
    written: str
    value: Any
    # The value in Python, and what a form shows.
    python: Any
    kind: str
    # What argparse gets, where that is not `--x WRITTEN`; its message for what is wrong.
    option: tuple[str, ...] | None = None
    wrong: str = ""
    refused: str = ""
    help: str = ""
    sweep: str = ""
    swept: list[Any] = field(default_factory=list)


DAY, MOMENT = "2024-02-29", "2024-02-29T08:30:00"
ROWS = [
    Row(
        line="x = -3  # days [-7, 7]",
        type_text="int",
        default=-3,
        written="4",
        value=4,
        python=4,
        kind="number",
        wrong="8",
        refused="8 is not in [-7, 7]",
        help="days (int in [-7, 7], default: -3)",
        sweep="-1..1",
        swept=[-1, 0, 1],
    ),
    Row(
        line="x = 1_000  # rows [1, 1234567]",
        type_text="int",
        default=1000,
        written="1_000_000",
        value=1_000_000,
        python=1_000_000,
        kind="number",
        wrong="1.5",
        refused="invalid int value",
        help="rows (int in [1, 1234567], default: 1000)",
        sweep="10..1000 log 3",
        swept=[10, 100, 1000],
    ),
    Row(
        line="x: float = 1e-3  # rate",
        type_text="float",
        default=0.001,
        written="2",
        value=2.0,
        python=2.0,
        kind="number",
        wrong="much",
        refused="invalid float value",
        help="rate (float, default: 0.001)",
        sweep="0.1..0.3 step 0.1",
        swept=[0.1, 0.2, 0.3],
    ),
    Row(
        line="x: Optional[float] = None",
        type_text="float | None",
        default=None,
        written="0.5",
        value=0.5,
        python=0.5,
        kind="number",
        wrong="half",
        refused="invalid float value",
        help="(float | None, default: None)",
        sweep="none, 1",
        swept=[None, 1.0],
    ),
    Row(
        line="x: bool = False  # final",
        type_text="bool",
        default=False,
        written="true",
        value=True,
        python=True,
        kind="check",
        option=("--x",),
        help="final (bool, default: False)",
        sweep="true, false",
        swept=[True, False],
    ),
    Row(
        line='x: Final = "JFK"  # market',
        type_text="str",
        default="JFK",
        written="none",
        value="none",
        python="none",
        kind="text",
        help='market (str, default: "JFK")',
        sweep='a, "b, c"',
        swept=["a", "b, c"],
    ),
    Row(
        line='x: Literal["a", "b"] = "b"',
        type_text='Literal["a", "b"]',
        default="b",
        written="a",
        value="a",
        python="a",
        kind="choice",
        wrong="c",
        refused="invalid choice: 'c'",
        help='(Literal["a", "b"], default: "b")',
        sweep="a, b",
        swept=["a", "b"],
    ),
    Row(
        line="x = 7  # type: Literal[7, 14] | None  # days",
        type_text="Literal[7, 14] | None",
        default=7,
        written="14",
        value=14,
        python=14,
        kind="choice",
        wrong="8",
        refused="invalid choice: 8",
        help="days (Literal[7, 14] | None, default: 7)",
        sweep="7, none",
        swept=[7, None],
    ),
    Row(
        line="x = date(2024, 1, 31)  # first day [2020-01-01, ]",
        type_text="date",
        default="2024-01-31",
        written=DAY,
        value=DAY,
        python=date(2024, 2, 29),
        kind="date",
        wrong="2019-12-31",
        refused="2019-12-31 is not in [2020-01-01, ]",
        help="first day (date in [2020-01-01, ], default: 2024-01-31)",
        sweep="2024-02-28..2024-03-13 step 7",
        swept=["2024-02-28", "2024-03-06", "2024-03-13"],
    ),
    Row(
        line='x: dt.date = dt.date.fromisoformat("2024-01-31")',
        type_text="date",
        default="2024-01-31",
        written=f" {DAY} ",
        value=DAY,
        python=date(2024, 2, 29),
        kind="date",
        option=("--x", DAY),
        wrong="2023-02-29",
        refused="invalid date value: '2023-02-29'",
        help="(date, default: 2024-01-31)",
        sweep="2024-01-02..2024-01-01, 2024-05-05",
        swept=["2024-01-02", "2024-01-01", "2024-05-05"],
    ),
    Row(
        line="x: date | None = None  # last day [, 2030-12-31]",
        type_text="date | None",
        default=None,
        written=DAY,
        value=DAY,
        python=date(2024, 2, 29),
        kind="date",
        wrong="2031-01-01",
        refused="2031-01-01 is not in [, 2030-12-31]",
        help="last day (date | None in [, 2030-12-31], default: None)",
        sweep="none, 2024-01-01",
        swept=[None, "2024-01-01"],
    ),
    Row(
        line="x = datetime(2024, 1, 31, 12)  # cutoff [2024-01-01, 2024-12-31T12:00]",
        type_text="datetime",
        default="2024-01-31T12:00:00",
        written="2024-02-29 08:30",
        value=MOMENT,
        python=datetime.fromisoformat(MOMENT),
        kind="datetime",
        wrong="2024-12-31T12:01",
        refused="is not in [2024-01-01T00:00:00, 2024-12-31T12:00:00]",
        help="cutoff (datetime in [2024-01-01T00:00:00, 2024-12-31T12:00:00], default: ",
        sweep="2024-01-01T00:00, 2024-01-02",
        swept=["2024-01-01T00:00:00", "2024-01-02T00:00:00"],
    ),
    Row(
        line="x = datetime(2024, 1, 31, tzinfo=timezone.utc)",
        type_text="datetime",
        default="2024-01-31T00:00:00+00:00",
        written=f"{MOMENT}+00:00",
        value=f"{MOMENT}+00:00",
        python=datetime(2024, 2, 29, 8, 30, tzinfo=UTC),
        kind="text",
        wrong="8:30",
        refused="invalid date_time value",
        help="(datetime, default: 2024-01-31T00:00:00+00:00)",
        sweep=f"{MOMENT}Z",
        swept=[f"{MOMENT}+00:00"],
    ),
    Row(
        line='x = Path("data") / "a b.csv"  # flights',
        type_text="path",
        default="data/a b.csv",
        written="../none//x.csv",
        value="../none/x.csv",
        python=Path("../none/x.csv"),
        kind="text",
        help="flights (path, default: data/a b.csv)",
        sweep="../a, b/../c",
        swept=["../a", "b/../c"],
    ),
    Row(
        line="x: Union[Path, None] = None",
        type_text="path | None",
        default=None,
        written="none",
        value="none",
        python=Path("none"),
        kind="text",
        help="(path | None, default: None)",
        sweep="a, b",
        swept=["a", "b"],
    ),
    Row(
        line="x: List[float] = [1, 2.5]",
        type_text="list[float]",
        default=[1.0, 2.5],
        written="[3, 4]",
        value=[3.0, 4.0],
        python=[3.0, 4.0],
        kind="json",
        wrong='["a"]',
        refused="invalid JSON list value",
        help="(list[float], default: [1.0, 2.5])",
        sweep="[1], [2, 3]",
        swept=[[1.0], [2.0, 3.0]],
    ),
    Row(
        line='x: list[Literal["a", "b"]] = ["a"]  # some',
        type_text="list[str]",
        default=["a"],
        written='["b", "a"]',
        value=["b", "a"],
        python=["b", "a"],
        kind="choices",
        wrong='["c"]',
        refused="'c' is not in ['a', 'b']",
        help='some of "a", "b" (list[str], default: ["a"])',
        sweep='["a"], []',
        swept=[["a"], []],
    ),
    Row(
        line='x: Annotated[list[date], "holidays"] = [date(2024, 1, 1)]',
        type_text="list[date]",
        default=["2024-01-01"],
        written=f'["{DAY}"]',
        value=[DAY],
        python=[date(2024, 2, 29)],
        kind="json",
        wrong='["2024-13-01"]',
        refused="invalid JSON list value",
        help='holidays (list[date], default: ["2024-01-01"])',
        sweep=f'["{DAY}"], []',
        swept=[[DAY], []],
    ),
    Row(
        line='x = [Path("a.csv"), Path("b.csv")]',
        type_text="list[path]",
        default=["a.csv", "b.csv"],
        written='["c.csv"]',
        value=["c.csv"],
        python=[Path("c.csv")],
        kind="json",
        wrong="[1]",
        refused="invalid JSON list value",
        help='(list[path], default: ["a.csv", "b.csv"])',
        sweep='["c"]',
        swept=[["c"]],
    ),
    Row(
        line='x = {"a": [1, None]}',
        type_text="dict",
        default={"a": [1, None]},
        written='{"b": 2}',
        value={"b": 2},
        python={"b": 2},
        kind="json",
        wrong="[]",
        refused="invalid JSON dict value",
        help='(dict, default: {"a": [1, None]})',
        sweep='{"a": 1}, {}',
        swept=[{"a": 1}, {}],
    ),
]
of_each_row = pytest.mark.parametrize("row", ROWS, ids=[row.line for row in ROWS])


def parameter_of(row: Row) -> Parameter:
    found = find_parameters(notebook(code(IMPORTS), parameters(row.line)))
    assert found.skipped == ()
    (parameter,) = found.parameters
    return parameter


def run_options(
    row: Row, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Run the cells of a script up to its options, under plain Python's name for a program."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    for source in (IMPORTS, row.line, SHADOWED, options_source([parameter_of(row)], "Train")):
        exec(source, namespace)
    return namespace


@of_each_row
def test_line_of_a_cell_says_type_and_default(row: Row) -> None:
    parameter = parameter_of(row)

    assert (parameter.type_text, parameter.default) == (row.type_text, row.default)
    assert type(parameter.default) is type(row.default)


@of_each_row
def test_manifest_gives_the_parameter_back(row: Row) -> None:
    parameter = parameter_of(row)
    manifest = Manifest(
        title="Train",
        kernel_name="python3",
        kernel_display_name="Python 3",
        language="python",
        notebook="train.ipynb",
        directory="",
        parameters=(parameter,),
        python="3.11",
        lock_is_observed=False,
    )

    assert read_manifest(write_manifest(manifest)).parameters == (parameter,)


@of_each_row
def test_answer_of_the_api_gives_the_parameter_back(row: Row) -> None:
    parameter = parameter_of(row)

    answer = ParameterBody.model_validate(parameter).model_dump(mode="json")

    assert answer["default"] == row.default
    assert parameter_of_answer(answer) == parameter


@of_each_row
def test_form_has_a_field_of_its_kind(row: Row) -> None:
    assert kind_of(parameter_of(row)) == row.kind


@of_each_row
def test_written_value_is_read_by_its_type(row: Row) -> None:
    read = read_values([parameter_of(row)], {"x": row.written})

    assert read == {"x": row.value}
    assert type(read["x"]) is type(row.value)
    assert read_values([parameter_of(row)], read) == read


@of_each_row
def test_injected_cell_gives_the_value_whatever_the_names_stand_for(row: Row) -> None:
    namespace: dict[str, Any] = {}
    source = to_source([parameter_of(row)], {"x": row.value})
    for text in (IMPORTS, row.line, SHADOWED, source):
        exec(text, namespace)

    assert namespace["x"] == row.python
    assert type(namespace["x"]) is type(row.python)


@of_each_row
def test_option_of_the_script_gives_the_value(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = row.option or ("--x", row.written)

    given = run_options(row, arguments, monkeypatch)
    usual = run_options(row, (), monkeypatch)

    assert given["x"] == row.python
    assert type(given["x"]) is type(row.python)
    namespace: dict[str, Any] = {}
    exec(f"{IMPORTS}\n{row.line}", namespace)
    assert usual["x"] == namespace["x"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.wrong], ids=lambda row: row.line)
def test_wrong_value_is_refused_by_script_and_workspace(
    row: Row, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_options(row, (f"--x={row.wrong}",), monkeypatch)
    with pytest.raises(ParameterInvalid, match="Parameter x"):
        read_values([parameter_of(row)], {"x": row.wrong})

    printed = capsys.readouterr().err
    assert "argument --x: " in printed
    assert row.refused in printed


@of_each_row
def test_help_of_the_script_says_type_range_and_default(
    row: Row, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_options(row, ("--help",), monkeypatch)

    assert row.help in " ".join(capsys.readouterr().out.split())


@of_each_row
def test_sweep_goes_through_the_values(row: Row) -> None:
    plan = plan_sweep([parameter_of(row)], {"x": row.sweep})

    assert [value for (value,) in plan.positions] == row.swept


def test_each_type_has_its_rows() -> None:
    assert list(TYPES) == list(PYTHON_TYPES) == list(ParameterType)
    assert {parameter_of(row).type for row in ROWS} == set(ParameterType)


@pytest.mark.parametrize("kind", list(ParameterType))
def test_example_of_a_type_is_a_line_of_it(kind: ParameterType) -> None:
    found = find_parameters(notebook(code(IMPORTS), parameters(PYTHON_TYPES[kind].example)))

    assert [parameter.type for parameter in found.parameters] == [kind]
    exec(f"{IMPORTS}\n{PYTHON_TYPES[kind].example}", {})
