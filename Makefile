# One command per habit; CI runs the same ones. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
COMPILE := .venv-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(UPGRADE)
UNIT := tests/domain tests/architecture
SOURCES := domain application projections infrastructure api tests

# Each is the command of the same name: `make queue-clear-dlq ARGS=--yes` runs `clientforge queue clear-dlq --yes`.
COMMANDS := verify-services deploy-verify db-migrate seed-admin queue-health queue-list-dlq queue-retry-dlq \
	queue-clear-dlq es-setup-ilm es-create-tenant-aliases projections-status projections-rebuild events-verify \
	events-replay backup-create backup-list backup-verify backup-restore dr-drill security-scan logs

# Each process that the tests start would compile the whole program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-unit test-integration test-performance services lint scan format \
	bench bench-growth load-smoke load-full load-soak lock clean $(COMMANDS)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 26

setup: $(INSTALLED) ## Install everything into .venv (a second time takes no time)

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ClientForge needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
		       "Try: make setup PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Creating .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing the locked dependencies"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock \
		| grep --line-buffered -vE '^Requirement already satisfied' || test $${PIPESTATUS[0]} -eq 0
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## Run the whole system on this machine, with sample data
	$(BIN)/clientforge up --sample

test: setup ## Run all tests against real services (PYTEST='-k deals' narrows it down)
	@$(BIN)/python -m tests.services --prepare
	$(BIN)/python -m pytest $(PYTEST)

test-unit: setup ## Run the tests of rules and structure
	$(BIN)/python -m pytest $(UNIT) $(PYTEST)

test-integration: setup ## Run all other tests, against real services
	@$(BIN)/python -m tests.services --prepare
	$(BIN)/python -m pytest $(UNIT:%=--ignore=%) $(PYTEST)

test-performance: bench ## The same as `bench`

services: setup ## Keep the tests' services running and print their TEST_* variables
	@$(BIN)/python -m tests.services

lint: setup ## Check style, types, the layers, and that migrations lock no large table
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk --no-error-on-unmatched-pattern infrastructure/migrations/*.sql
	$(BIN)/python -m tests.architecture.locking

scan: setup ## Look for insecure code, vulnerable dependencies and secrets in the tree
	@$(BIN)/clientforge security scan --tree

format: setup ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: setup ## Measure against ceilings of the same run, and hold the gates
	@$(BIN)/python -m tests.services --prepare
	$(BIN)/python -m tests.performance

bench-growth: setup ## Grow a tenant to a million contacts and ask whether all stays as fast (SIZES='10_000 100_000')
	@$(BIN)/python -m tests.services --prepare
	$(BIN)/python -m tests.performance.growth $(SIZES)

load-smoke load-full load-soak: setup
	@$(BIN)/python -m tests.services --prepare
	$(BIN)/python -m tests.performance.k6 $(@:load-%=%) $(K6)
load-smoke: ## Put a small load on the real stack with k6 (1 VU, 30 s)
load-full: ## Put the load of the gates on it (5 VU, 2 min), and then that of our own goal
load-soak: ## Put half of that on it for half an hour

verify-services: ## Look whether all that the processes need is there, and as they need it
deploy-verify: ## Look whether a deployment works: ARGS='--url U --password-file FILE'
db-migrate: ## Bring the database's tables up to date (ARGS=--dry-run prints the SQL)
seed-admin: ## Give a tenant its first admin: ARGS='--tenant T --email E --ask'
queue-health: ## Show the queues, the workers and the sweeper
queue-list-dlq: ## List the dead letters
queue-retry-dlq: ## Try dead letters again
queue-clear-dlq: ## Delete all dead letters (ARGS=--yes doesn't ask)
es-setup-ilm: ## Put the lifecycle policy of the search indices
es-create-tenant-aliases: ## Make the tenants' filtered aliases anew
projections-status: ## Show how far each read model is
projections-rebuild: ## Make read models anew out of the log: ARGS='search'
events-verify: ## Check the chains of the log
events-replay: ## Tell the log again, for audits: ARGS='--tenant T'
backup-create: ## Take a backup
backup-list: ## List the backups
backup-verify: ## Open a backup and check all that is in it
backup-restore: ## Restore a backup into empty stores: ARGS=--rebuild
dr-drill: ## Rehearse a recovery aside, and print RPO and RTO
security-scan: ## Look for what is insecure, in the tree and in what runs
logs: ## Show what the processes logged (ARGS=--follow)
$(COMMANDS): setup
	@$(BIN)/clientforge $(firstword $(subst -, ,$@)) $(patsubst $(firstword $(subst -, ,$@))-%,%,$(filter-out logs,$@)) $(ARGS)

lock: ## Resolve the dependencies anew (for maintainers; `make lock UPGRADE=--upgrade` takes newer versions)
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock; .venv-lock/bin/python -m pip install --quiet uv; }
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## Remove the environment and caches (not the data of `make run`)
	rm -rf .venv .venv-lock build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
