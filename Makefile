# Everything a developer runs. Needs Debian 12 or newer, and root or sudo where packages are missing.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
ROUNDS ?= 5
KILLS ?= 40
# Files of tests in parallel; one process of each kind of server for every worker.
PYTEST := $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup test demo lint format acceptance clean

help:
	@echo 'make test         set up everything; run all checks and tests'
	@echo 'make demo         show what Pubcellar does in front of a throw-away server'
	@echo 'make demo KEEP=1  the same, and leave it running to point a client at it'
	@echo 'make lint         run the checks alone'
	@echo 'make format       format and repair what can be repaired'
	@echo 'make acceptance   the tests, then the server tests with every server and database, then'
	@echo '                  over and over (ROUNDS=$(ROUNDS)), and many kills (KILLS=$(KILLS))'
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

acceptance: test
	$(PYTEST) -m servers --every-combination
	for round in $$(seq $(ROUNDS)); do \
	    echo "Server tests, round $$round of $(ROUNDS)"; \
	    $(PYTEST) -m servers || exit 1; \
	done
	KILLS=$(KILLS) $(PYTEST) tests/servers/test_kills.py

clean:
	rm -rf $(VENV) build dist component/*.egg-info *.egg-info .coverage .hypothesis \
	    .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find component migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
