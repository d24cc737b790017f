"""A run as CI shows it: JUnit's XML for its list of tests, Markdown for its summary.

What a notebook says ends up in somebody's web page here, so all of it is escaped. Pure functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from nb2prod.execution.models import CellRecord, CellStatus, RunRecord, RunStatus
from nb2prod.knowledge.models import MetricChange

# Of an error, or a parameter, in a summary; the page has all of it.
MAX_TEXT = 2000
MAX_VALUE = 200

# What XML 1.0 has no character for, halves of characters too.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~@-])")


def junit_report(record: RunRecord, headings: Mapping[int, str]) -> str:
    """Return a run as a JUnit report: each code cell is a test case.

    The form is that of Jenkins' schema, which GitLab and others read: a cell that raised has
    ``failure``, one that ended in any other bad way ``error``, one that was not run ``skipped``.

    Parameters
    ----------
    headings
        The heading above a cell, by the cell's number; a cell may have none.
    """
    cases = [_case(record, cell, headings.get(cell.number, "")) for cell in record.cells]
    if record.status is not RunStatus.SUCCEEDED and not any(_is_bad(cell) for cell in record.cells):
        cases.append(_case_of_run(record))
    counts = {
        "tests": str(len(cases)),
        "failures": str(_count(cases, "failure")),
        "errors": str(_count(cases, "error")),
        "skipped": str(_count(cases, "skipped")),
        "time": _seconds(record.duration_s),
    }
    suite = ET.Element("testsuite", {"name": _xml(record.reference), **counts})
    if record.started_at is not None:
        started = record.started_at.astimezone(UTC).replace(tzinfo=None)
        suite.set("timestamp", started.isoformat(timespec="seconds"))
    if record.machine is not None:
        suite.set("hostname", _xml(record.machine.host))
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(record):
        ET.SubElement(properties, "property", {"name": _xml(name), "value": _xml(value)})
    suite.extend(cases)
    root = ET.Element("testsuites", {"name": "nb2prod", **counts})
    root.append(suite)
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return declaration + ET.tostring(root, encoding="unicode") + "\n"


def markdown_summary(
    record: RunRecord,
    metrics: Sequence[MetricChange],
    *,
    baseline: str | None,
    address: str | None,
) -> str:
    """Return a run as Markdown, as GitHub's step summary and merge requests show it.

    Parameters
    ----------
    metrics
        The main one first, and how each stands against the baseline.
    baseline
        The version that they are compared with, as ``train@v2``; `None` where there is none.
    address
        Of the run's page; `None` where nobody can open it.
    """
    return "\n".join(_summary(record, metrics, baseline, address)) + "\n"


def _case(record: RunRecord, cell: CellRecord, heading: str) -> ET.Element:
    name = f"cell {cell.number}" + (f": {heading}" if heading else "")
    case = ET.Element(
        "testcase",
        {
            "classname": _xml(f"{record.project}.{record.pipeline}"),
            "name": _xml(name),
            "time": _seconds(_cell_seconds(cell)),
        },
    )
    if cell.status is CellStatus.NOT_RUN:
        ET.SubElement(case, "skipped", {"message": "not run"})
    elif _is_bad(cell):
        kind = "failure" if cell.status is CellStatus.FAILED else "error"
        text = cell.error or record.reason or cell.status.value
        attributes = {"message": _xml(text.partition("\n")[0]), "type": _kind_of(cell)}
        ET.SubElement(case, kind, attributes).text = _xml(text)
    return case


def _case_of_run(record: RunRecord) -> ET.Element:
    """Return what stands for the end of a run that no cell is to blame for."""
    named = {"classname": _xml(f"{record.project}.{record.pipeline}"), "name": "run"}
    case = ET.Element("testcase", {**named, "time": "0.000"})
    text = record.reason or record.status.value
    attributes = {"message": _xml(text), "type": record.status.value}
    ET.SubElement(case, "error", attributes).text = _xml(text)
    return case


def _kind_of(cell: CellRecord) -> str:
    name = (cell.error or "").partition(":")[0].strip()
    return _xml(name) if cell.status is CellStatus.FAILED and name else cell.status.value


def _is_bad(cell: CellRecord) -> bool:
    return cell.status not in (CellStatus.SUCCEEDED, CellStatus.NOT_RUN)


def _cell_seconds(cell: CellRecord) -> float | None:
    if cell.started_at is None or cell.ended_at is None:
        return None
    return (cell.ended_at - cell.started_at).total_seconds()


def _seconds(duration_s: float | None) -> str:
    return f"{max(0.0, duration_s or 0.0):.3f}"


def _count(cases: Sequence[ET.Element], kind: str) -> int:
    return sum(case.find(kind) is not None for case in cases)


def _facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "run", record.id
    yield "status", record.status.value
    yield "commit", record.commit
    if record.ci is not None and record.ci.commit:
        yield "ci.commit", record.ci.commit
    for name, value in record.parameters.items():
        yield f"parameter.{name}", _value(value)
    for name, metric in record.metrics.items():
        yield f"metric.{name}", repr(metric)


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _summary(
    record: RunRecord,
    metrics: Sequence[MetricChange],
    baseline: str | None,
    address: str | None,
) -> Iterator[str]:
    mark = "✅" if record.status is RunStatus.SUCCEEDED else "❌"
    took = "" if record.duration_s is None else f" in {record.duration_s:.1f} s"
    yield f"### {mark} {_text(record.reference)} {record.status.value.replace('_', ' ')}{took}"
    yield ""
    if record.reason:
        yield from (_text(record.reason), "")
    bad = next((cell for cell in record.cells if _is_bad(cell)), None)
    if bad is not None and bad.error:
        yield from (f"Cell {bad.number}:", "", *_block(bad.error), "")
    if metrics:
        against = f" against {_text(baseline)}" if baseline else ""
        yield from (f"| Metric | Value | Change{against} |", "|---|--:|---|")
        yield from (
            f"| {_text(metric.name)} | {_number(metric.value)} | {_change(metric)} |"
            for metric in metrics
        )
        yield ""
    if record.parameters:
        profile = "" if record.profile.value == "full" else f" ({record.profile.value} run)"
        yield from (f"| Parameter{profile} | Value |", "|---|---|")
        for name, value in record.parameters.items():
            yield f"| {_text(name)} | {_text(_value(value))} |"
        yield ""
    commit = record.ci.commit[:10] if record.ci is not None else ""
    if commit:
        yield from (f"Commit {_text(commit)}, run {record.id} of {_text(record.project)}.", "")
    else:
        yield from (f"Run {record.id} of {_text(record.project)}.", "")
    if address:
        yield f"[The run's page]({address})"


def _block(text: str) -> list[str]:
    # Four spaces make a block that no text can end, whatever fences it has.
    return [f"    {line}" for line in _NO_XML.sub("\ufffd", text[:MAX_TEXT]).splitlines()]


def _text(text: str) -> str:
    plain = " ".join(_NO_XML.sub("\ufffd", text[:MAX_TEXT]).split())
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", escaped)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def _change(metric: MetricChange) -> str:
    if metric.before is None or metric.change is None:
        return "–"
    if metric.change == 0:
        return "none"
    word = {True: ", better", False: ", **worse**", None: ""}[metric.is_better]
    return f"{metric.change:+.4g} (was {_number(metric.before)}{word})"
