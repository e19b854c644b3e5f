# Each target does its own set-up: python3 (3.10 or newer) and make are all that it needs.
#
#   make restore                       restore the example picture
#   make restore PHOTO=print.jpg       restore a photo of yours
#   make restore PHOTO=scans OUT=done  restore a folder into another
#   make test                          linters, type checks and tests
#
# PYTHON=python3.12 chooses the interpreter, PIP_ARGS="..." is passed on to pip install.

PYTHON ?= python3
PIP_ARGS ?=
PHOTO ?= docs/images/example-aged.jpg
OUT ?= restored

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help restore test lint format clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 8

# The shell reads PHOTO and OUT from the environment: names with spaces or quotes are safe.
restore: export UNFADE_PHOTO = $(value PHOTO)
restore: export UNFADE_OUT = $(value OUT)
restore: $(VENV)/.stamp-base
	@$(BIN)/unfade restore -o "$$UNFADE_OUT" -- "$$UNFADE_PHOTO"

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "unfade needs Python 3.10 or newer, and '$(PYTHON)' is missing or older." >&2; \
	  echo "Install it (Debian, Ubuntu: sudo apt install python3 python3-venv), or name another: make ... PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no module venv (or ensurepip), which sets up the packages in $(VENV)." >&2; \
	  echo "Install it (Debian, Ubuntu: sudo apt install python3-venv) and run make again." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# pip's own words are enough on failure; the stamp is only written after a success.
$(VENV)/.stamp-base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing unfade into $(VENV) (once; torch is the large part) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing unfade with its test tools into $(VENV) (once) ..."
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.stamp-base
