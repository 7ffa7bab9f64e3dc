# Drillmark. `make` alone lists the targets. Needs Python >= 3.11 and a package index, nothing else.
# Paths are relative throughout: the folder may be deep, and its name may hold spaces.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install install-dev drill test test-conformance test-crash test-exhaustive test-fleet bench lint format schemas lock wheel hooks clean

help: ## this list
	@echo "Drillmark. Targets:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# $(call install,LOCK) makes .venv hold what LOCK says (hashes are checked) and Drillmark itself, editable.
# .venv/installed-LOCK says from which folder, for which Python and from which files that was done; where all of it
# still holds, this takes milliseconds. .venv/unfinished says that an install was cut short: then it begins anew, as
# pip cannot tell a package that is half there. $(1)-dev holds all of $(1), in the same versions. One at a time: the
# lock is on pyproject.toml, held by descriptor 9 of this shell and of a pip that outlives it.
define install
@set -eu; \
python=; \
for each in $(if $(filter file,$(origin PYTHON)),python3 python3.13 python3.12 python3.11,'$(PYTHON)'); do \
	if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
done; \
[ -n "$$python" ] || { echo 'drillmark needs Python 3.11 or newer; there is none, or not where PYTHON says' >&2; \
	echo 'HINT: name one: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }; \
exec 9<pyproject.toml; "$$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'; \
wanted=$$( { pwd -P; cat pyproject.toml requirements.lock requirements-dev.lock; } | cksum); \
[ -e $(VENV)/unfinished ] || [ "$(origin PYTHON)" = file ] || \
	[ "$$("$$python" -c 'import sys; print(sys.version, sys.base_prefix)')" = \
	"$$($(BIN)/python -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null)" ] || rm -rf $(VENV); \
for mark in $(VENV)/installed-$(1) $(VENV)/installed-requirements-dev; do \
	if [ ! -e $(VENV)/unfinished ] && [ -e $$mark ] && [ "$$(cat $$mark)" = "$$wanted" ] && \
		$(BIN)/python -c '' 2>/dev/null; then exit 0; fi; \
done; \
echo 'installing into .venv (a minute or so the first time)'; \
if [ -e $(VENV)/unfinished ] || ! $(PIP) --version >/dev/null 2>&1 || \
	[ "$$(cat $(VENV)/folder 2>/dev/null)" != "$$(pwd -P)" ]; then \
	rm -rf $(VENV); mkdir $(VENV); touch $(VENV)/unfinished; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'HINT: on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }; \
	pwd -P >$(VENV)/folder; \
fi; \
rm -f $(VENV)/installed-*; touch $(VENV)/unfinished; \
$(PIP) install --quiet --use-pep517 --require-hashes -r $(1).lock; \
$(PIP) install --quiet --no-deps --no-build-isolation --editable .; \
echo "$$wanted" >$(VENV)/installed-$(1); rm -f $(VENV)/unfinished
endef

install: ## make .venv and install Drillmark with its lab and its tests, from requirements.lock
	$(call install,requirements)

install-dev: ## the same and what developing takes, from requirements-dev.lock
	$(call install,requirements-dev)

# A lab that was there before stays; one that the drill brought up goes, unless its run has to be taken up again.
drill: install ## rehearse the loss of a real database under load, on the embedded lab (two minutes)
	@up=; test ! -e .drillmark/lab/lab.json || up=yes; \
	$(BIN)/python -m drillmark run drills/quarterly/orders-db-lost.yaml; status=$$?; \
	case $$up$$status in 0|1|4) $(BIN)/python -m drillmark lab down >/dev/null || status=$$?;; esac; \
	exit $$status

# Three files at a time, as most tests wait for something; then the benchmarks, which must be alone.
test: install ## run the whole suite; ARGS="-k rta" goes to pytest
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n 3 --dist loadfile --ignore tests/benchmarks)
	@$(if $(ARGS),true,$(BIN)/python -m pytest tests/benchmarks)

# In an environment of its own, with the newest Chaos Toolkit that this Python can have; `make test` needs no other Python.
CONFORMANCE := .venv-conformance
test-conformance: ## compare with `chaos run` under another Python: make test-conformance PYTHON=python3.13
	@'$(PYTHON)' -m venv --clear $(CONFORMANCE)
	@$(CONFORMANCE)/bin/python -m pip --disable-pip-version-check install --quiet --upgrade --editable '.[vault]' \
		pytest pytest-xdist hypothesis jsonschema
	@$(CONFORMANCE)/bin/python -c 'import sys, chaoslib; print("Python", sys.version.split()[0] + ", chaostoolkit-lib", chaoslib.__version__)'
	@$(CONFORMANCE)/bin/python -m pytest tests/conformance $(ARGS)

test-crash: install ## kill the runner, and all that belongs to it, at every boundary (hours); ARGS="--minutes 30"
	@$(BIN)/python tests/crash/kill_matrix.py $(ARGS)

test-exhaustive: install ## the suite with every case instead of samples (hours); ARGS goes to pytest
	@DRILLMARK_EXHAUSTIVE=1 $(BIN)/python -m pytest $(if $(ARGS),$(ARGS),--ignore tests/benchmarks)

test-fleet: install ## ten thousand drills on three workers that are killed, stopped and cut off (hours); ARGS="--occurrences 1000"
	@$(BIN)/python tests/fleet/proof.py $(ARGS)

bench: install ## measure speed side by side and print the figures
	@$(BIN)/python -m pytest tests/benchmarks -s $(ARGS)

lint: install-dev ## ruff and pyright, both strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: install-dev ## let ruff put right what it can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

schemas: install ## write schemas/ anew from the models
	@$(BIN)/python -m drillmark schema --write

wheel: install ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation

lock: install ## resolve both locks anew: newest versions that pyproject.toml allows, with hashes
	@$(PIP) install --quiet 'uv>=0.5'
	@$(LOCK) --extra dev --output-file requirements-dev.lock
	@$(LOCK) --extra test --constraint requirements-dev.lock --output-file requirements.lock
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock'

hooks: install-dev ## run the linters at every commit
	@$(BIN)/pre-commit install

clean: ## take away what make made; the lab is stopped first
	@-test ! -x $(BIN)/drillmark || $(BIN)/python -m drillmark lab down
	@rm -rf $(VENV) $(CONFORMANCE) .drillmark .pytest_cache .hypothesis .ruff_cache dist build
