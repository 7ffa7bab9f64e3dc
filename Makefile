# Drillmark. `make` alone lists the targets.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help drill test test-crash lint bench schemas lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(BIN)/.installed-lab: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "drillmark needs Python 3.11 or newer. HINT: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

drill: $(BIN)/.installed-lab ## rehearse the loss of a database on the embedded lab (about two minutes)
	@$(BIN)/python -m drillmark run drills/quarterly/orders-db-lost.yaml

test: $(BIN)/.installed-lab ## the whole suite
	@$(BIN)/python -m pytest

lint: $(BIN)/.installed-lab ## ruff and pyright, strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

clean: ## take away what make made (the lab is stopped first)
	@-test -x $(BIN)/drillmark && $(BIN)/python -m drillmark lab down
	@rm -rf $(VENV) .drillmark .pytest_cache .hypothesis .ruff_cache dist
