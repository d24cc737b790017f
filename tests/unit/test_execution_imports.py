"""What a run's worker imports: each second of it is paid by each run."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from nb2prod.execution import worker
try:
    worker.main(["/nowhere"])
finally:
    import nbformat
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.validate(notebook)
    print(*sorted(sys.modules))
"""


@pytest.fixture(scope="module")
def modules() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_worker_can_validate_notebooks_without_the_grammar_of_addresses(modules: set[str]) -> None:
    assert "jsonschema" in modules
    assert "rfc3987_syntax.syntax_helpers" not in modules


@pytest.mark.parametrize("package", ["alembic", "dbos", "fastapi", "mlflow", "pandas", "torch"])
def test_worker_imports_nothing_that_a_run_may_not_need(modules: set[str], package: str) -> None:
    assert package not in modules
