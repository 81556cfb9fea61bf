# Each target sets up what it needs in $(VENV) and is quick to repeat.
PYTHON ?= python3
VENV ?= .venv
PYTHONS ?= python3.11 python3.12 python3.13
BIN := $(VENV)/bin

.PHONY: demo test test-all matrix check format docs benchmark wheel clean
.DEFAULT_GOAL := help

help:  ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gandiag needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed  ## Score the healthy example checkpoint
	$(BIN)/gandiag score examples/checkpoints/dcgan-stacked-mnist.pt --metric fid,is,pr,modes

# One thread for each of the tests' processes: more would only wait for one another.
test: $(VENV)/.installed-dev  ## Run the default tests, on all cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

test-all: $(VENV)/.installed-dev  ## Run the slow tests too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

matrix:  ## Run the default tests under each of PYTHONS in turn, with the newest SciPy that each can have
	@for python in $(PYTHONS); do \
	  echo "== $$python"; rm -rf .venv-matrix; \
	  $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-matrix || exit 1; \
	done; rm -rf .venv-matrix

check: $(VENV)/.installed-dev  ## Lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy --explicit-package-bases --allow-untyped-calls --follow-imports=silent benchmarks/*.py

format: $(VENV)/.installed-dev  ## Put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev  ## Build the documentation into site/, strictly
	$(BIN)/mkdocs build --strict

benchmark: $(VENV)/.installed-dev  ## Measure how often the error bars cover the truth (ten minutes on one core)
	$(BIN)/python benchmarks/coverage.py --out benchmarks/coverage.md

wheel: $(VENV)/.installed-dev  ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build

clean:  ## Remove what was built, but not the virtual environment
	rm -rf build dist site *.egg-info
