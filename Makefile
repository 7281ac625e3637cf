# Two commands: `make repro` computes and prints the verdicts, `make test` checks the project.
PYTHON ?= $(shell command -v python3.11 2>/dev/null || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

# Tools that a stage starts by name (python, dvc) come from the environment too.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro test lint format ui clean

help:
	@echo "make repro   set up .venv, run the pipeline, print the verdicts"
	@echo "make test    linters, types, floors, tests"
	@echo "make lint    the same without the tests"
	@echo "make format  let ruff rewrite the sources"
	@echo "make ui      open the runs in MLflow"
	@echo "make clean   remove results (not .venv, not data/raw)"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

# The stamps make installation happen once, and again when what is to be installed changes.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed

repro: $(VENV)/.installed
	@$(BIN)/mtl repro

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n 2 $(PYTEST_ARGS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: $(VENV)/.installed
	@$(BIN)/mtl ui

clean:
	rm -rf outputs results report timings data/prepared data/index.json
