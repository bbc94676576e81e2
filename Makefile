# Everything a developer runs. Needs Debian 12 or newer, and root or sudo where packages are missing.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
ROUNDS ?= 5
KILLS ?= 40
FAULTS ?= 200
EXAMPLES ?= 5000
SEEDS ?= 1-20
# Files of tests in parallel, one more than there are processors, since servers are waited for; one
# process of each kind of server for every worker.
WORKERS := $(shell echo $$(($$(nproc) + 1)))
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup test demo lint format differential fuzz acceptance clean

help:
	@echo 'make test         set up everything; run all checks and tests'
	@echo 'make demo         show what Pubcellar does in front of a throw-away server'
	@echo 'make demo KEEP=1  the same, and leave it running to point a client at it'
	@echo 'make lint         run the checks alone'
	@echo 'make format       format and repair what can be repaired'
	@echo 'make differential answers of services and proxy compared after random changes, more of them'
	@echo '                  than make test does (SEEDS=$(SEEDS), or such as SEEDS=7,21-40)'
	@echo 'make fuzz         random stanzas, bytes and addresses, more of them (EXAMPLES=$(EXAMPLES))'
	@echo 'make acceptance   the tests, then the server tests with every server and database, then'
	@echo '                  over and over (ROUNDS=$(ROUNDS)), many kills (KILLS=$(KILLS)), and many'
	@echo '                  faults between proxy and server (FAULTS=$(FAULTS), SEED=1)'
	@echo 'make clean        remove what the other commands made'

setup: $(READY)
	@.ci/install-packages

$(READY): pyproject.toml
	@.ci/install-packages
	@echo 'Preparing $(VENV)'
	@"$$(.ci/find-python)" -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@

test: lint
	$(PYTEST)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

demo: setup
	@PYTHONPATH=tests/servers $(BIN)/python tests/demo/demo.py $(if $(filter-out 0,$(KEEP)),--keep)

differential: setup
	SEEDS=$(SEEDS) $(BIN)/pytest -q -s tests/servers/differential

fuzz: setup
	EXAMPLES=$(EXAMPLES) $(PYTEST) --dist load tests/scenarios/fuzz tests/core/test_escaping.py \
	    tests/xmpp/test_addresses.py tests/xmpp/test_reader.py

acceptance: test
	$(PYTEST) -m 'servers or thorough' --every-combination
	for round in $$(seq $(ROUNDS)); do \
	    echo "Server tests, round $$round of $(ROUNDS)"; \
	    $(PYTEST) -m servers || exit 1; \
	done
	KILLS=$(KILLS) $(PYTEST) tests/servers/test_kills.py
	FAULTS=$(FAULTS) $(PYTEST) --dist load tests/servers/faults/test_faults.py

clean:
	rm -rf $(VENV) build dist component/*.egg-info *.egg-info .coverage .hypothesis \
	    .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find component migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
