"""The preflight of notebooks in R and bash."""

from __future__ import annotations

import shutil

import pytest

from nb2prod.export.models import Finding, Severity
from nb2prod.export.preflight import preflight
from tests.helpers.notebooks import code, notebook, parameters
from tests.helpers.other_kernels import notebook_in


@pytest.fixture(autouse=True)
def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither R nor bash is there; tests/integration/test_other_languages.py has them."""
    monkeypatch.setattr(shutil, "which", lambda _program: None)


def found(findings: tuple[Finding, ...]) -> list[tuple[str, int | None, int | None]]:
    return [(item.code, item.cell, item.line) for item in findings]


def test_preflight_without_the_language_says_that_syntax_is_unchecked() -> None:
    findings = preflight(notebook_in("r", parameters("n <- 1L"), code("n")))

    assert found(findings) == [("syntax-unchecked", None, None)]
    assert findings[0].severity is Severity.NOTE
    assert "`Rscript` is not installed here" in findings[0].message


def test_preflight_of_a_language_that_has_no_row_blocks() -> None:
    findings = preflight(notebook(code("x = 1"), language="julia"))

    assert found(findings) == [("language-unsupported", None, None)]


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("r", 'x <- 1\ninstall.packages("dplyr")', ("package-install", 1, 2)),
        ("r", 'remotes::install_github("a/b")', ("package-install", 1, 1)),
        ("r", "x <- '\n# %% a\n'", ("marker-in-text", 1, 2)),
        ("bash", "cat <<E\n# %% a\nE", ("marker-in-text", 1, 2)),
        ("bash", "x=1\nexit 3", ("shell-ended", 1, 2)),
        ("bash", "set -euo pipefail", ("shell-ended", 1, 1)),
        ("bash", "if true; then exec ls; fi", ("shell-ended", 1, 1)),
    ],
)
def test_preflight_finds(
    language: str, source: str, expected: tuple[str, int | None, int | None]
) -> None:
    findings = preflight(notebook_in(language, code(source)))

    assert expected in found(findings)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("r", "# install.packages('a')\ninstall.packages"),
        ("r", "cat('install.packages(1)')"),
        ("r", "# %% a comment"),
        ("bash", "echo exit; exited=1\n# exit"),
        ("bash", "cat <<E\nexit\nE"),
        ("bash", "set -x"),
    ],
)
def test_preflight_leaves_alone(language: str, source: str) -> None:
    findings = preflight(notebook_in(language, parameters("n=1"), code(f"{source}\necho")))

    assert found(findings) == [("syntax-unchecked", None, None)]


def test_preflight_of_parameters_speaks_of_the_language() -> None:
    missing = preflight(notebook_in("r", code("n <- 1L\nprint(n)")))
    skipped = preflight(notebook_in("bash", parameters("n=1\nday=$(date)"), code("echo $n")))

    assert "`n` of cell 1" in next(item.way_out for item in missing if item.cell is None)
    assert ("parameter-skipped", 1, 2) in found(skipped)
    unread = preflight(notebook_in("r", parameters("n <- (1"), code("n")))
    assert ("parameter-skipped", 1, 1) in found(unread)


def test_preflight_of_any_language_finds_order_and_secrets() -> None:
    cells = (code("x=1", execution_count=2), code("echo $x", execution_count=1))

    assert "execution-order" in {item.code for item in preflight(notebook_in("bash", *cells))}
