# Each target does its own set-up: python3 (3.10 or newer) and make are all that it needs.
#
#   make restore                       restore the example picture
#   make restore PHOTO=print.jpg       restore a photo of yours
#   make restore PHOTO=scans OUT=done  restore a folder into another
#   make test                          linters, type checks and tests
#   make docs                          these pages as a site, in build/site; links are checked
#   make test-extras                   the tests that need torchvision, in .venv-extras (15 GB)
#
# PYTHON=python3.12 chooses the interpreter, PIP_ARGS="..." is passed on to pip install.

PYTHON ?= python3
PIP_ARGS ?=
PHOTO ?= docs/images/example-aged.jpg
OUT ?= restored

VENV := .venv
BIN := $(VENV)/bin
EXTRAS := .venv-extras
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help restore test docs chromium extras test-extras lint format clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 10

# The shell reads PHOTO and OUT from the environment: names with spaces or quotes are safe.
restore: export UNFADE_PHOTO = $(value PHOTO)
restore: export UNFADE_OUT = $(value OUT)
restore: $(VENV)/.stamp-base
	@$(BIN)/unfade restore -o "$$UNFADE_OUT" -- "$$UNFADE_PHOTO"
	@echo "More: $(BIN)/unfade restore --help. (. $(BIN)/activate puts unfade on your path.)"

test: lint docs chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

docs: $(VENV)/.stamp-dev
	$(BIN)/mkdocs build --quiet --strict

# For the tests of the page. Where it cannot be installed they are skipped, and say so.
chromium:
	@command -v chromium chromium-browser >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && \
	  apt-get install -qy --no-install-recommends chromium; } || \
	  echo "No Chromium: the browser tests are left out. (Debian, Ubuntu: sudo apt install chromium)"

extras: $(EXTRAS)/.stamp

# pytest ends with an error where no test is selected, and a skipped one would hide what is missing.
test-extras: $(EXTRAS)/.stamp
	$(EXTRAS)/bin/python -c 'import torchvision, torchmetrics, transformers, spandrel'
	$(EXTRAS)/bin/python -m pytest -m extras

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(EXTRAS) dist build

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

# Its torch is newer than that of constraints.txt: torchvision has no build for the other one.
$(EXTRAS)/.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing unfade with its extras into $(EXTRAS) (once; several gigabytes) ..."
	$(BIN)/python -m venv $(EXTRAS) || { rm -rf $(EXTRAS); exit 1; }
	@grep -v '^torch==' constraints.txt > $(EXTRAS)/constraints.txt
	$(EXTRAS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c $(EXTRAS)/constraints.txt $(PIP_ARGS) -e '.[test-extras]'
	@touch $@
