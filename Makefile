# Two commands to begin with: `make edit` and `make test`. `make help` lists the others.

works = $(shell $(1) -c '' 2>/dev/null && command -v $(1))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(call works,$(name))))
NEWEST ?= $(call works,python3.13)
VENV := .venv
NEWEST_VENV := .venv-newest
BIN := $(VENV)/bin
SHARED ?= ../shared
CHECKED := sfe_jax convert_weights benchmarks tests

.PHONY: help edit test test-slow test-newest golden format bench clean

help: ## Lists the commands.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/installed: pyproject.toml
	@echo "Creating $(VENV) with $(PYTHON); this takes a minute or two, once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; call make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

edit: $(VENV)/installed ## Inverts and edits pictures; says where they are.
	$(BIN)/sfe trial --out out/trial

test: $(VENV)/installed ## Format, lint, types and tests.
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q

test-slow: $(VENV)/installed ## Full-size networks too; needs 16 GiB of memory.
	$(BIN)/python -m pytest -q -m slow --timeout 1800

test-newest: ## The tests under Python 3.13 and the newest JAX, where they are found.
	@test -n "$(NEWEST)" || { echo "no python3.13 here; call make test-newest NEWEST=/path"; exit 1; }
	test -d $(NEWEST_VENV) || $(NEWEST) -m venv $(NEWEST_VENV)
	$(NEWEST_VENV)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager pip -e '.[dev]'
	$(NEWEST_VENV)/bin/python -m pytest -q

golden: $(VENV)/installed ## Parity with the originals, on the reference vectors in SHARED.
	$(BIN)/python -m tests.golden $(SHARED)/golden
	$(BIN)/python -m tests.golden --checkpoints $(SHARED)/checkpoints

bench: $(VENV)/installed ## Times the full-size edit and states the distance to the FLOP floor.
	$(BIN)/python -m benchmarks.sfe_edit

format: $(VENV)/installed ## Formats the code and mends what ruff can.
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

clean: ## Removes environments, caches and results.
	rm -rf $(VENV) $(NEWEST_VENV) .cache .pytest_cache .ruff_cache out build *.egg-info
