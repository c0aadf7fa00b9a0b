# make demo   set up a virtual environment and start the app
# make test   set up and run all tests, two at a time (WORKERS=4: four at a time; 1 GB each)
# make quick  the same without browser tests and tests marked slow; for every commit
# make check  lint, format, types, import rules, README commands and all tests, as in CI
# All targets work on a plain Debian with Python 3.11 or newer, a C++ compiler and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# Tests run in folder order, so that the browser tests, by far the slowest, start first.
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test quick check lint readme samples clean

help:
	@sed -n '/^#/!q; s/^# //p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.stamp-run
	@$(BIN)/python -c "from rustseg_jax.classify.kernels import build; print('compiled convolutions:', build.status())"
	$(BIN)/python -m streamlit run app.py

test: $(VENV)/.stamp-dev
	$(PYTEST)

quick: $(VENV)/.stamp-dev
	$(PYTEST) -m "not browser and not slow"

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

readme: $(VENV)/.stamp-run
	.ci/readme

check: lint readme test

samples: $(VENV)/.stamp-run
	$(BIN)/python -m rustseg_jax.scenes --out data/samples

clean:
	rm -rf $(VENV)

# Report missing prerequisites in one line instead of a long error output of pip.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing; install Python 3.11 or newer (apt install python3 python3-venv python3-dev)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; give a newer one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: Python's venv module is missing (apt install python3-venv)"; exit 1; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { echo "make: a C++ compiler is missing (apt install g++); pydensecrf is built from source"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || { echo "make: Python's headers are missing (apt install python3-dev); pydensecrf is built from source"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-run: requirements.txt | $(VENV)/bin/python
	@echo "installing the app's dependencies (about two minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.txt $(VENV)/.stamp-run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
