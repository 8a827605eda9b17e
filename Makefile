# Two commands for a fresh machine: `make demo` shows the whole at work, `make test` checks it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests wait for Python to start more than for anything else: two processes, each with whole files.
TEST_JOBS ?= 2
SPREAD := --numprocesses $(TEST_JOBS) --dist loadfile
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install dev demo check test test-all commands quick docs dist format constraints clean

help:
	@echo "make demo     install, synthesise voices, build a store with 6 views, train model A on it"
	@echo "make test     install the test tools, check style, types and layers, run all tests but the long ones"
	@echo "make test-all the same with the long ones: kills, clusters, thousands of faults"
	@echo "make quick    the tests of make test alone"
	@echo "make check    style, types and layers alone"
	@echo "make docs     the documentation as a site, in site/"
	@echo "make dist     sdist and wheel in dist/, tried in an environment of their own"
	@echo "make format   let ruff put the code into its form"

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0] + '; call make PYTHON=/path/to/python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/ser-features demo --corpora demo/corpora
	$(BIN)/ser-features build --datasets demo --augment 6 --corpora demo/corpora --out demo/features.zarr
	$(BIN)/ser-train --store demo/features.zarr --model A --epochs 12 --out demo/runs

check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check commands quick

test-all: check commands
	$(BIN)/pytest $(SPREAD)

commands: install
	$(BIN)/ser-features --version
	$(BIN)/ser-features datasets --corpora corpora
	$(BIN)/ser-train --help

quick: dev
	$(BIN)/pytest $(SPREAD) -m "not slow"

docs: dev
	$(BIN)/mkdocs build --strict

dist: dev
	rm -rf dist build
	$(BIN)/python -m build --outdir dist
	SER_DIST=dist $(BIN)/pytest tests/distribution

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: dev
	(head -1 constraints.txt; $(PIP) freeze --exclude-editable) > constraints.new && mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) demo build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
