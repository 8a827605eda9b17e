# Two commands for a fresh machine: `make demo` shows everything working, `make test` tests it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3.14 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests often wait, for processes and servers: three processes keep two cores busy. Each takes whole files, in the
# order of tests/conftest.py.
TEST_JOBS ?= 3
SPREAD := --numprocesses $(TEST_JOBS) --dist loadfile --no-loadscope-reorder
SMOKE  := .venv-smoke
# uv installs PyTorch several times as fast as pip, but does not read pip.conf: make INSTALLER=uv
INSTALLER ?= pip
WITH_pip := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
WITH_uv  := $(WITH_pip) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
INSTALL  := $(WITH_$(INSTALLER))
# uv leaves packages uncompiled. Without this, where the variable is set, every process compiles all that it imports:
# `import training.train` takes 12 s of a core instead of 5 s.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install dev demo check test test-all commands quick smoke docs dist format constraints clean

help:
	@echo "make demo     install, synthesise voices, build a store with 6 views, train model A"
	@echo "make test     install the test tools, check style, types and layers, run all but the long tests"
	@echo "make test-all the same, including the long tests: kills, clusters, thousands of faults"
	@echo "make quick    run only the tests of make test"
	@echo "make smoke    test an installation without extras in a temporary environment, from voices to predictions;"
	@echo "              for another Python: make smoke PYTHON=/path/to/python3.13"
	@echo "make check    check only style, types and layers"
	@echo "make docs     build the documentation as a site, in site/"
	@echo "make dist     build sdist and wheel in dist/, and test them in a separate environment"
	@echo "make format   format the code with ruff"
	@echo "make constraints  pin what a new dependency needs, for Python 3.11 to 3.14; UPGRADE=--upgrade updates all"

install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 11) else 'Python 3.11 or newer is required, but this is ' + sys.version.split()[0] + '; run make PYTHON=/path/to/python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(INSTALL) --editable ".[dev]"
	NUMBA_CACHE_DIR=$(VENV)/numba $(BIN)/python tests/warm_librosa.py
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

# If there is an environment for tests, its store must have the same digest.
smoke:
	rm -rf $(SMOKE) build
	trap 'rm -rf $(SMOKE) build' EXIT INT TERM && \
	$(PYTHON) -m venv $(SMOKE) && \
	$(SMOKE)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt uv && \
	UV_CACHE_DIR="$${UV_CACHE_DIR:-$(SMOKE)/cache}" \
	    $(SMOKE)/bin/uv pip install --quiet --python $(SMOKE)/bin/python --constraint constraints.txt . && \
	$(SMOKE)/bin/python -I tests/smoke.py $(if $(wildcard $(BIN)/ser-features),--compare $(BIN)/python)

docs: dev
	$(BIN)/mkdocs build --strict

dist: dev
	rm -rf dist build
	$(BIN)/python -m build --outdir dist
	SER_DIST=dist $(BIN)/pytest tests/distribution

format: dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Keeps the versions that are pinned, and adds what a new dependency needs on any Python. To update all: UPGRADE=--upgrade.
constraints: dev
	cp constraints.txt constraints.new
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11.7 --extra dev --extra gpu --no-annotate --no-header $(UPGRADE) \
	    --output-file constraints.new pyproject.toml
	(head -1 constraints.txt; cat constraints.new) > constraints.txt.new
	mv constraints.txt.new constraints.txt && rm constraints.new

clean:
	rm -rf $(VENV) $(SMOKE) demo build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
