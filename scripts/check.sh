#!/usr/bin/env bash
# Everything that can be known without running the product.
set -euo pipefail
bin=.venv/bin

$bin/ruff check --quiet .
$bin/ruff format --check --quiet .
$bin/mypy
npm run --silent types
npm run --silent lint
npm --prefix extensions/lab run --silent types
npm --prefix extensions/lab run --silent lint
$bin/python scripts/reference.py --check
$bin/python -m pytest -q --no-header --durations=0 --durations-min=5 tests/unit/test_architecture.py tests/unit/test_documentation.py
