"""Policies and silences: what a project and an author make of findings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nb2prod.cli.sarif import to_sarif
from nb2prod.export.models import Finding, Severity
from nb2prod.notebook.models import Cell
from nb2prod.registry.policies import KINDS, read_policy
from nb2prod.registry.project_files import GivenFiles
from nb2prod.registry.versions import check
from tests.helpers.notebooks import code, notebook, parameters

P = parameters("alpha = 1")
NETWORK = "import pandas as pd\npd.read_csv('https://example.org/a.csv')"


def checked(*cells: Cell, policy: str = "", directory: str = ".") -> tuple[Finding, ...]:
    files = GivenFiles(contents={"pyproject.toml": policy.encode()})
    return check(notebook(P, *cells), project=files, directory=directory)


def table(text: str) -> str:
    return f"[tool.nb2prod.findings]\n{text}\n"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param("", [("network-access", Severity.WARNING)], id="no-policy"),
        pytest.param(table(""), [("network-access", Severity.WARNING)], id="empty-policy"),
        pytest.param(
            table('network-access = "blocking"'),
            [("network-access", Severity.BLOCKING)],
            id="heavier",
        ),
        pytest.param(
            table('network-access = "note"'), [("network-access", Severity.NOTE)], id="lighter"
        ),
        pytest.param(table('network-access = "off"'), [], id="off"),
        pytest.param(
            table('current-time = "off"'), [("network-access", Severity.WARNING)], id="another"
        ),
    ],
)
def test_policy_says_how_much_a_finding_weighs(
    policy: str, expected: list[tuple[str, Severity]]
) -> None:
    assert [
        (item.code, item.severity) for item in checked(code(NETWORK), policy=policy)
    ] == expected


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        pytest.param(table('network-acces = "off"'), "Did you mean network-access?", id="code"),
        pytest.param(table('current-time = "loud"'), "say one of", id="word"),
        pytest.param(table("current-time = true"), "say one of", id="no-word"),
        pytest.param(table('syntax-error = "note"'), "can't weaken", id="fixed"),
        pytest.param("[tool.nb2prod]\nfindings = 1", "is no table", id="no-table"),
        pytest.param("a = [", "is no TOML", id="no-toml"),
    ],
)
def test_policy_that_can_not_be_used_blocks_and_says_why(policy: str, message: str) -> None:
    (finding,) = checked(code("print(alpha)"), policy=policy)

    assert (finding.code, finding.blocks) == ("policy-invalid", True)
    assert message in finding.message


def test_policy_is_that_of_the_nearest_file_that_has_one() -> None:
    files = GivenFiles(
        contents={
            "pyproject.toml": table('network-access = "off"').encode(),
            "a/pyproject.toml": table('network-access = "note"').encode(),
            "a/b/pyproject.toml": b"[project]\nname = 'b'",
        }
    )

    words = [
        read_policy(files, folder)[0].weights["network-access"].value
        for folder in ("a/b", "a", ".")
    ]
    assert words == ["note", "note", "off"]


SILENCE = {"nb2prod": {"silence": {"network-access": "the table is frozen"}}}


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            code(f"{NETWORK}  # nb2prod: ignore[network-access] the table is frozen"), id="comment"
        ),
        pytest.param(
            code(f"# nb2prod: ignore[current-time, network-access] the table is frozen\n{NETWORK}"),
            id="several-codes",
        ),
        pytest.param(code(NETWORK, metadata=SILENCE), id="metadata"),
    ],
)
def test_silence_with_a_reason_takes_a_finding_out_of_account(cell: Cell) -> None:
    found = checked(cell, policy=table('network-access = "blocking"'))
    (silenced,) = [item for item in found if item.code == "network-access"]

    assert silenced.silenced_because == "the table is frozen"
    assert not any(item.blocks for item in found)
    assert found[-1] == silenced


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            f"{NETWORK}  # nb2prod: ignore[network-access]", "silence-without-reason", id="reason"
        ),
        pytest.param(
            "print(1)  # nb2prod: ignore[network-access] why", "silence-unused", id="nothing-there"
        ),
        pytest.param("print(1)  # nb2prod: ignore[netwrk] why", "silence-unknown", id="unknown"),
        pytest.param("x = = 1  # nb2prod: ignore[syntax-error] why", "silence-unknown", id="fixed"),
    ],
)
def test_silence_that_does_nothing_is_said(source: str, expected: str) -> None:
    found = checked(code(source))
    (fault,) = [item for item in found if item.code.startswith("silence-")]

    assert (fault.code, fault.cell) == (expected, 2)
    assert not any(item.is_silenced for item in found)


def test_silence_counts_in_its_own_cell_only() -> None:
    found = checked(code("print(1)  # nb2prod: ignore[network-access] why"), code(NETWORK))

    assert [(item.code, item.cell) for item in found if not item.is_silenced] == [
        ("network-access", 3),
        ("silence-unused", 2),
    ]


def test_silence_of_what_only_promotion_finds_is_not_called_needless() -> None:
    assert checked(code("print(1)  # nb2prod: ignore[environment-observed] why")) == ()


def test_sarif_has_a_rule_for_each_code_and_a_place_for_each_finding() -> None:
    silenced = code(f"{NETWORK}  # nb2prod: ignore[network-access] frozen")
    found = {Path("a b/train.ipynb"): checked(silenced, code("y"))}

    log = json.loads(json.dumps(to_sarif(found, KINDS)))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    results = {result["ruleId"]: result for result in run["results"]}

    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in rules] == sorted(KINDS)
    assert all(rules[result["ruleIndex"]]["id"] == code for code, result in results.items())
    undefined, network = results["name-undefined"], results["network-access"]
    assert (undefined["level"], network["level"]) == ("error", "warning")
    assert "suppressions" not in undefined
    assert network["suppressions"] == [{"kind": "inSource", "justification": "frozen"}]
    (place,) = undefined["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/train.ipynb"
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "cell 3, line 1"
