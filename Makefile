# make demo      everything on this machine, in a browser
# make test      set up and run all tests
# make test-real build Vault and kube-apiserver once (Go, a quarter of an hour), test against them
# make check     ruff and mypy --strict
# make bench     measure, each figure beside its target
# make install   the set-up alone

PYTHON ?= python3
BIN := .venv/bin
# What is imported is compiled then: to compile all of it takes longer than to install it.
PIP_INSTALL := $(BIN)/python -m pip install --no-compile --constraint constraints.txt
# One more than cores, since a third of the time is waiting for servers. Neighbours stay together:
# what a file has started serves its tests.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 4) + 1)')
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# Where it is set, each of hundreds of processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-real check bench install clean
.DELETE_ON_ERROR:

demo: .venv/demo-installed
	@$(BIN)/matrix demo

test: .venv/installed
	$(PYTEST)

test-real: .venv/installed
	$(BIN)/python -m tests.real.build
	MATRIX_REAL=required $(PYTEST) tests/real

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/python -m tests.bench

install: .venv/installed

clean:
	rm -rf .venv .matrix .mypy_cache .pytest_cache .ruff_cache .hypothesis dist out

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) is what $(PYTHON) is. Try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "venv is missing. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip

.venv/demo-installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing what the demo needs ..."
	$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing everything that development needs ..."
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ .venv/demo-installed
