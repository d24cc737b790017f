# The commands of this project; CI runs the same. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
VENDOR := nb2prod/server/static/vendor/.ready
LAB := extensions/lab/nb2prod_lab/labextension/package.json
LAB_SOURCES := $(wildcard $(addprefix extensions/lab/,*.json src/*.ts src/*.tsx src/views/* style/* schema/*))

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 12

.PHONY: up
up: setup ## Start the workspace with a demo project on real data; MODE=docker or MODE=process
	@exec $(BIN)/nb2prod up $(if $(MODE),--mode $(MODE)) --example docs/examples/seat-demand

.PHONY: setup
setup: system .venv/.ready $(VENDOR) $(LAB)

.PHONY: system
system:
	@scripts/system.sh git

.venv/.ready: requirements/lock.txt requirements/uv.txt requirements/torch.txt pyproject.toml scripts/setup-python.sh
	@scripts/system.sh python3 venv
	@scripts/setup-python.sh
	@touch $@

$(VENDOR): package.json package-lock.json scripts/vendor.mjs
	@scripts/system.sh node npm
	@scripts/setup-browser-code.sh
	@touch $@

$(LAB): .venv/.ready $(LAB_SOURCES) scripts/setup-lab.sh
	@scripts/system.sh node npm
	@scripts/setup-lab.sh

.PHONY: check
check: setup ## Lint, types, import arrows, docs: under a minute
	@scripts/system.sh node npm
	@scripts/check.sh

.PHONY: test
test: setup ## All tests: unit, integration with real kernels and containers, end to end in a browser
	@scripts/system.sh chromium postgres r
	@if scripts/engine.sh; then scripts/images.sh; else [ -z "$${CI:-}" ]; fi
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: chaos
chaos: setup ## Kill the workspace's processes while N runs go on; SEED=… repeats a storm
	@scripts/system.sh chromium postgres
	@if scripts/engine.sh; then scripts/images.sh base; fi
	@NB2PROD_CHAOS_RUNS=$(or $(N),60) NB2PROD_CHAOS_SEED=$(SEED) \
	  $(BIN)/python -m pytest tests/integration/hub/test_chaos.py $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: setup ## The fast tests only
	@$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

.PHONY: images
images: setup ## Build the container images that are not up to date
	@scripts/images.sh

.PHONY: bench-spawn
bench-spawn: setup ## Measure how fast servers start, against a plain DockerSpawner
	@scripts/engine.sh
	@scripts/images.sh
	@$(BIN)/python -m bench.spawn $(BENCH_ARGS)

.PHONY: bench-jobs
bench-jobs: setup ## Measure the queue, and a sweep against papermill and jupyter-scheduler
	@$(BIN)/python -m bench.jobs $(BENCH_ARGS)

.PHONY: corpus
corpus: .venv/.ready ## Export the notebooks of DIR, and say what becomes of them; RUN=1 compares runs too
	@$(BIN)/python -m bench.corpus $(or $(DIR),$(error Say which folder: make corpus DIR=notebooks)) \
	  $(if $(RUN),--run) $(ARGS)

.PHONY: format
format: setup ## Format the Python code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: lock
lock: .venv/.ready ## Resolve the dependencies of pyproject.toml anew
	@scripts/lock.sh

.PHONY: docs
docs: .venv/.ready ## Write the generated pages of docs/reference anew
	@$(BIN)/python scripts/reference.py

.PHONY: clean
clean: ## Remove all that these commands made here (not your workspace)
	rm -rf .venv .uv .bench .images node_modules nb2prod/server/static/vendor test-results
	rm -rf $(addprefix extensions/lab/,node_modules lib lib-test nb2prod_lab/labextension)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
