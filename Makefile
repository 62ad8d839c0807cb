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
DEV := $(VENV)/.mmlock-dev
BENCH := $(VENV)/.mmlock-bench

GPU ?= rtx5090
STACK ?= openmmlab
OUT ?= lock
PYTEST_FLAGS ?= -n auto --dist worksteal

# Without compiled modules every start of mmlock, and every worker of the tests, compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help solve locks test test-slow check lint types layers matrices bench clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

solve: $(BASE) ## lock the default stack for GPU (rtx5090) into OUT (lock), and say why
	$(BIN)/mmlock solve --stack $(STACK) --gpu $(GPU) --out $(OUT)

locks: $(BASE) ## solve every lock of mmlock.toml again; LOCKS="openmmlab/cpu" for one, LOCKS=--check to look
	$(BIN)/python scripts/collect_verdicts.py
	$(BIN)/mmlock locks --progress $(LOCKS)

test: $(DEV) ## run the unit tests
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-slow: $(DEV) ## run the slow tests too (no network)
	MMLOCK_TEST_MANY=1 $(BIN)/python -m pytest -m "not network" $(PYTEST_FLAGS)

check: lint types layers matrices ## lint, types, layers, matrices

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

layers: $(DEV)
	$(BIN)/lint-imports

matrices: $(BASE)
	$(BIN)/mmlock matrix lint

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

$(DEV): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev,graph]'
	@touch $@ $(BASE)

$(BENCH): $(DEV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]'
	@touch $@
