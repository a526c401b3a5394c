# Two commands to begin with: `make edit` and `make test`. `make help` lists the others.

works = $(shell $(1) -c '' 2>/dev/null && command -v $(1))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(call works,$(name))))
NEWEST ?= $(call works,python3.13)
VENV := .venv
NEWEST_VENV := .venv-newest
BIN := $(VENV)/bin
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile # Each has memory of its own.
CHECKED := sfe_jax convert_weights benchmarks configs tests train.py evaluate.py

.PHONY: help edit test test-slow test-newest golden train-faces table-faces format bench clean

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
	$(BIN)/python -m pytest -q $(PARALLEL)

test-slow: $(VENV)/installed ## Full-size networks too; needs 16 GiB of memory.
	$(BIN)/python -m pytest -q -m slow --timeout 1800

test-newest: ## The tests under Python 3.13 and the newest JAX, where they are found.
	@test -n "$(NEWEST)" || { echo "no python3.13 here; call make test-newest NEWEST=/path"; exit 1; }
	test -d $(NEWEST_VENV) || $(NEWEST) -m venv $(NEWEST_VENV)
	$(NEWEST_VENV)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager pip -e '.[dev]'
	$(NEWEST_VENV)/bin/python -m pytest -q $(PARALLEL)

# The chain of small networks. Each link is a file; a link that was stopped goes on from its last
# checkpoint, and one that is done is not repeated.

RUNS := runs
FACES := sfe_jax/weights/faces64.safetensors
link = $(RUNS)/faces64_$(1)/faces64_$(1).safetensors
LINKS := $(foreach name,features gan e4e inverter editor,$(call link,$(name)))
DIRECTIONS := $(RUNS)/faces64_directions.safetensors
SMALL_DIRECTIONS := $(RUNS)/faces64_small_directions.safetensors
BASE := $(RUNS)/faces64_base.safetensors
# What fills much of the picture is fitted by regression, what is small in it by least change.
BROAD := hair_colour hair_length skin_tone yaw beard makeup lighting
SMALL := smile glasses age

train-faces: $(VENV)/installed $(FACES) ## Trains the bundled networks; goes on where it was stopped.

$(LINKS) $(call link,psp):
	$(BIN)/python train.py --config=configs/$(basename $(@F)).py --workdir=$(@D)

$(call link,e4e) $(call link,inverter): $(call link,features) $(call link,gan)
$(call link,editor): $(DIRECTIONS) $(SMALL_DIRECTIONS) $(call link,e4e) $(call link,inverter)

$(BASE): $(call link,features) $(call link,gan)
	$(BIN)/python -m convert_weights $^ -o $@

$(DIRECTIONS): $(BASE)
	$(BIN)/sfe fit-directions -w $< --attribute $(BROAD) -o $@

$(SMALL_DIRECTIONS): $(BASE)
	$(BIN)/sfe fit-directions -w $< --method least-change --attribute $(SMALL) \
		--preserve $(BROAD) eye_opening background --samples 4000 -o $@

$(FACES): $(LINKS) $(DIRECTIONS) $(SMALL_DIRECTIONS)
	$(BIN)/python -m convert_weights $(LINKS) $(DIRECTIONS) $(SMALL_DIRECTIONS) \
		--only generator discriminator features e4e inverter feature_editor --half -o $@

# pSp stands in the table alone; it is trained on the bundled generator.

table-faces: $(VENV)/installed $(call link,psp) ## Measures the bundled networks, and pSp, on unseen faces.
	$(BIN)/python -m convert_weights $(FACES) $(call link,psp) -o $(RUNS)/faces64_table.safetensors
	$(BIN)/python -m benchmarks.faces_table --weights $(RUNS)/faces64_table.safetensors

golden: $(VENV)/installed ## Parity with the originals, on the reference vectors in the repository.
	$(BIN)/python -m tests.golden

bench: $(VENV)/installed ## Measures speed on this device; writes benchmarks/results.
	$(BIN)/python -m benchmarks

format: $(VENV)/installed ## Formats the code and mends what ruff can.
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

clean: ## Removes environments, caches and results.
	rm -rf $(VENV) $(NEWEST_VENV) .cache .pytest_cache .ruff_cache out build *.egg-info
