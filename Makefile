# Two commands for a fresh machine: `make demo` shows everything at work, `make test` tests it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests mostly wait for Python to start: use two processes, and give each whole files.
TEST_JOBS ?= 2
SPREAD := --numprocesses $(TEST_JOBS) --dist loadfile
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install dev demo check test test-all commands quick docs dist format constraints clean

help:
	@echo "make demo     install, synthesise voices, build a store with 6 views, train model A"
	@echo "make test     install the test tools, check style, types and layers, run all but the long tests"
	@echo "make test-all the same, including the long tests: kills, clusters, thousands of faults"
	@echo "make quick    run only the tests of make test"
	@echo "make check    check only style, types and layers"
	@echo "make docs     build the documentation as a site, in site/"
	@echo "make dist     build sdist and wheel in dist/, and test them in a separate environment"
	@echo "make format   format the code with ruff"

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Python 3.11 or newer is required, but this is ' + sys.version.split()[0] + '; run make PYTHON=/path/to/python3.11')"
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
