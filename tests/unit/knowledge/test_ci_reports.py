"""What CI shows of a run: JUnit's XML and Markdown, in which no notebook can say more."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from nb2prod.execution.models import (
    CellRecord,
    CellStatus,
    CiContext,
    Profile,
    RunRecord,
    RunStatus,
)
from nb2prod.knowledge.ci_reports import junit_report, markdown_summary
from nb2prod.knowledge.models import MetricChange
from tests.helpers.gallery import ENDED, make_record

# Elements of the schema that Jenkins publishes (junit-10.xsd): attributes that must be and may be
# there, and children in their order.
SCHEMA: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (
        set(),
        {"name", "time", "tests", "failures", "disabled", "errors", "skipped"},
        ["testsuite"],
    ),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": (
        {"name"},
        {"assertions", "time", "classname", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": (set(), {"type", "message"}, []),
    "error": (set(), {"type", "message"}, []),
    "skipped": (set(), {"type", "message"}, []),
}


def check_form(element: ET.Element) -> None:
    """Check an element, and all below it, by the schema."""
    must, may, order = SCHEMA[element.tag]
    assert must <= set(element.attrib) <= must | may, element.tag
    places = [order.index(child.tag) for child in element]
    assert places == sorted(places), element.tag
    for child in element:
        check_form(child)


def cell(number: int, status: CellStatus, *, error: str | None = None) -> CellRecord:
    started = None if status is CellStatus.NOT_RUN else ENDED - timedelta(seconds=10)
    return CellRecord(
        number=number,
        status=status,
        started_at=started,
        ended_at=None if started is None else started + timedelta(seconds=1.5),
        error=error,
    )


def record(status: RunStatus = RunStatus.SUCCEEDED, *cells: CellRecord, **more: Any) -> RunRecord:
    return make_record("aaaaaaaaaaaa", status=status, cells=cells, **more)


def parsed(report: str) -> ET.Element:
    root = ET.fromstring(report)
    check_form(root)
    suite = root.find("testsuite")
    assert suite is not None
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suite.get(kind) == root.get(kind) == str(len(suite.findall(f"testcase/{tag}")))
    assert suite.get("tests") == root.get("tests") == str(len(suite.findall("testcase")))
    return suite


def test_junit_has_a_case_for_each_cell_with_its_time_and_heading() -> None:
    suite = parsed(
        junit_report(
            record(
                RunStatus.FAILED,
                cell(2, CellStatus.SUCCEEDED),
                cell(4, CellStatus.FAILED, error="ValueError: no market\nlook again"),
                cell(5, CellStatus.NOT_RUN),
                reason="Cell 4 failed.",
            ),
            {2: "Data", 4: "Fit"},
        )
    )

    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["cell 2: Data", "cell 4: Fit", "cell 5"]
    assert [case.get("time") for case in cases] == ["1.500", "1.500", "0.000"]
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "ValueError: no market", "type": "ValueError"}
    assert failure.text == "ValueError: no market\nlook again"
    assert cases[2].find("skipped") is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp") or "")


@pytest.mark.parametrize("status", ["timed_out", "kernel_died", "cancelled", "lost"])
def test_junit_tells_an_end_by_force_from_a_failure(status: str) -> None:
    suite = parsed(
        junit_report(
            record(RunStatus(status), cell(2, CellStatus(status)), reason="It ended so."), {}
        )
    )

    (error,) = suite.findall("testcase/error")
    assert error.attrib == {"message": "It ended so.", "type": status}


@pytest.mark.parametrize("cells", [(), (cell(2, CellStatus.NOT_RUN),)], ids=["none", "not run"])
def test_junit_of_a_run_that_no_cell_failed_is_not_green(cells: tuple[CellRecord, ...]) -> None:
    suite = parsed(
        junit_report(record(RunStatus.CANCELLED, *cells, reason="Cancelled by ada."), {})
    )

    assert suite.get("errors") == "1"
    assert suite.findall("testcase")[-1].get("name") == "run"


def test_junit_of_text_that_xml_cant_hold_is_still_xml() -> None:
    hostile = "\x00\x1b[31m\ud800 ]]> <b>&\uffff"

    suite = parsed(
        junit_report(
            record(
                RunStatus.FAILED,
                cell(2, CellStatus.FAILED, error=hostile),
                parameters={"market": hostile},
            ),
            {2: hostile},
        )
    )

    text = suite.findtext("testcase/failure")
    assert text is not None
    assert "]]> <b>&" in text


def test_summary_says_status_metrics_with_change_parameters_and_page() -> None:
    text = markdown_summary(
        record(parameters={"market": "JFK-DL", "days": [1, 2]}, profile=Profile.SMOKE),
        [
            MetricChange(name="mape", value=4.1, before=4.6, lower_is_better=True),
            MetricChange(name="rows", value=12345.0),
            MetricChange(name="bias", value=2.0, before=1.0, lower_is_better=True),
            MetricChange(name="same", value=2.0, before=2.0),
        ],
        baseline="train@v2",
        address="https://hub.example.org/services/workspace/pages/aaaaaaaaaaaa",
    )

    assert text.startswith("### ✅ train")
    assert "| Metric | Value | Change against train\\@v2 |" in text
    assert "| mape | 4.1 | -0.5 (was 4.6, better) |" in text
    assert "| rows | 12,345 | – |" in text
    assert "| bias | 2 | +1 (was 1, **worse**) |" in text
    assert "| same | 2 | none |" in text
    assert "| Parameter (smoke run) | Value |" in text
    assert "| market | JFK\\-DL |" in text
    assert "(https://hub.example.org/services/workspace/pages/aaaaaaaaaaaa)" in text


def test_summary_of_a_failure_shows_the_cells_error_and_the_commit() -> None:
    failed = record(
        RunStatus.FAILED,
        cell(4, CellStatus.FAILED, error="ValueError: no\n```\n# big"),
        reason="Cell 4 failed.",
    )
    failed = replace(failed, ci=CiContext(commit="c0ffee" * 6, branch="main"))

    text = markdown_summary(failed, [], baseline=None, address=None)

    assert "❌" in text
    assert "Cell 4 failed." in text
    assert "    ValueError: no\n    ```\n    # big\n" in text
    assert "Commit c0ffeec0ff, run" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "<img src=x onerror=alert(1)>",
        "[here](https://evil.example)",
        "a | b",
        "two\n\n# lines",
        "@team",
        "`code`",
        "![x](y)",
    ],
)
def test_summary_lets_no_value_become_markup(hostile: str) -> None:
    text = markdown_summary(
        record(parameters={"market": hostile}, reason=hostile), [], baseline=None, address=None
    )

    row = next(line for line in text.splitlines() if line.startswith("| market"))
    assert "<" not in text
    assert not re.search(r"(?<!\\)[\[\]`@!]", row)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert not any(line.startswith("# ") for line in text.splitlines())
