"""The corpus: each notebook becomes its golden script, byte for byte, or is refused as told."""

from __future__ import annotations

import ast

import pytest

from nb2prod.export.findings import FINDINGS
from nb2prod.export.models import Severity
from nb2prod.export.preflight import preflight
from nb2prod.export.script import from_script
from tests.corpus.books import GOLDEN, NAMES, REFUSED, book, exported, is_exported, script_of

EXPORTED = tuple(filter(is_exported, NAMES))
HINT = "`python -m tests.corpus` writes the golden files anew"


def test_corpus_has_one_golden_file_for_each_notebook() -> None:
    assert len(NAMES) >= 60
    golden = [path.name.removesuffix(REFUSED).removesuffix(".py") for path in GOLDEN.iterdir()]
    assert sorted(golden) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_becomes_its_golden_file(name: str) -> None:
    file, text = exported(name)

    assert (GOLDEN / file).is_file(), HINT
    assert text == (GOLDEN / file).read_text(encoding="utf-8"), HINT


@pytest.mark.parametrize("name", EXPORTED)
def test_golden_script_is_plain_python_and_the_same_notebook(name: str) -> None:
    notebook = book(name)
    script = (GOLDEN / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(script)

    read = from_script(script, name=notebook.name)

    assert [(c.kind, c.source, c.tags) for c in read.cells] == [
        (c.kind, c.source, c.tags) for c in notebook.cells
    ]
    assert script_of(read) == script


@pytest.mark.parametrize("name", [name for name in NAMES if not is_exported(name)])
def test_refused_notebook_is_told_so_before(name: str) -> None:
    findings = preflight(book(name))

    assert any(item.severity is Severity.BLOCKING for item in findings)
    assert {item.code for item in findings} <= set(FINDINGS)
