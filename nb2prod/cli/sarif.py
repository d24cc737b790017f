"""Findings as SARIF, which code hosts show beside the lines that they are about.

The format is OASIS's "Static Analysis Results Interchange Format Version 2.1.0". A notebook's file
has no lines that mean anything to a reader, so a result's place is the file and, as a logical
location, the cell and the line in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nb2prod import __version__
from nb2prod.export.findings import FindingKind
from nb2prod.export.models import Finding, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.BLOCKING: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def to_sarif(
    found: Mapping[Path, Iterable[Finding]], kinds: Mapping[str, FindingKind]
) -> dict[str, Any]:
    """Return a SARIF log of one run.

    Parameters
    ----------
    found
        Notebook → its findings, silenced ones too.
    kinds
        All kinds of findings by their code: the log's rules.
    """
    codes = sorted(kinds)
    places = {code: index for index, code in enumerate(codes)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "nb2prod",
                        "version": __version__,
                        "rules": [_rule(code, kinds[code]) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(path, finding, places[finding.code])
                    for path, findings in found.items()
                    for finding in findings
                ],
            }
        ],
    }


def _rule(code: str, kind: FindingKind) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": kind.summary},
        "help": {"text": kind.way_out},
        "defaultConfiguration": {"level": _LEVELS[kind.severity]},
    }


def _result(path: Path, finding: Finding, rule: int) -> dict[str, Any]:
    text = f"{finding.message} {finding.way_out}".strip()
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": 1}}
    }
    if finding.cell is not None:
        location["logicalLocations"] = list(_cell(finding))
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [location],
        "properties": {"cell": finding.cell, "line": finding.line},
    }
    if finding.silenced_because is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.silenced_because}]
    return result


def _cell(finding: Finding) -> Iterator[dict[str, Any]]:
    name = f"cell {finding.cell}"
    if finding.line is not None:
        name += f", line {finding.line}"
    yield {"fullyQualifiedName": name, "kind": "module"}


def _uri(path: Path) -> str:
    from urllib.parse import quote

    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
