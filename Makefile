# Everything a newcomer, a developer and CI type. `make help` lists the targets.
# Set-up goes into .venv beside this file; nothing else on the machine is changed, except that
# Debian packages are installed with apt where they are missing and the user is root.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
KOPF := .venv-kopf/.kopf
JOBS ?= auto
# Tests and demos start programs by the thousand: the first compiles a module, the others read it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(RUNTIME): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh runtime

$(DEVELOPMENT): $(RUNTIME)
	@scripts/setup.sh development

.PHONY: setup
setup: $(RUNTIME) ## Install govcloud into .venv (what `make demo` needs)

.PHONY: setup-dev
setup-dev: $(DEVELOPMENT) ## Install also what tests and checks need (PostgreSQL from Debian)

.PHONY: demo
demo: $(RUNTIME) ## Play a city: Changshu on the simulated cloud, in under two minutes
	@$(BIN)/python -m examples.changshu.demo

.PHONY: demo-openstack
demo-openstack: $(RUNTIME) ## Play a small city on a real OpenStack (the lab, or GOVCLOUD_TEST_OS_CLOUD)
	@$(BIN)/python -m examples.openstack.demo

.PHONY: test
test: $(DEVELOPMENT) ## Run the tests, on SQLite, PostgreSQL and, where it can be started, a real OpenStack
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(if $(COVERAGE),--cov --cov-report=term:skip-covered --cov-fail-under=80) $(ARGS)

.PHONY: test-openstack
test-openstack: $(DEVELOPMENT) ## Run all tests on a real OpenStack, also those that take long (root on Debian 12)
	@GOVCLOUD_TEST_OPENSTACK=all $(BIN)/python -m pytest -k openstack $(ARGS)

.PHONY: lint
lint: $(DEVELOPMENT) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@cd playbooks && PATH="$(CURDIR)/$(BIN):$$PATH" ANSIBLE_ACTION_PLUGINS=action_plugins ansible-lint -q -c ../.ansible-lint --project-dir . scan.yml stage.yml roles

.PHONY: types
types: $(DEVELOPMENT) ## Check types
	@$(BIN)/mypy

.PHONY: imports
imports: $(DEVELOPMENT) ## Check that imports point downwards
	@$(BIN)/lint-imports

.PHONY: docs
docs: $(DEVELOPMENT) ## Write the generated references anew
	@$(BIN)/python scripts/docs.py write

.PHONY: docs-check
docs-check: $(DEVELOPMENT) ## Check that the generated references are up to date
	@$(BIN)/python scripts/docs.py check

.PHONY: wheel
wheel: $(DEVELOPMENT) ## Build the wheel and run it from a clean environment
	@scripts/check-wheel.sh

.PHONY: check
check: lint types imports docs-check wheel ## All checks but the tests

.PHONY: format
format: $(DEVELOPMENT) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(KOPF): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh kopf

.PHONY: bench
bench: $(DEVELOPMENT) $(if $(findstring clusters,$(BENCH)),$(KOPF)) ## Measure start-up, ledger, controller and report (BENCH="--quick" for small)
	@$(BIN)/python benchmarks/run.py $(BENCH)

.PHONY: openstack-up
openstack-up: $(RUNTIME) ## Start a real OpenStack for the tests (root on Debian 12); again at will
	@$(BIN)/python tests/labs/openstack up

.PHONY: openstack-down
openstack-down: $(RUNTIME) ## Stop it (ARGS=--purge removes its data too)
	@$(BIN)/python tests/labs/openstack down $(ARGS)

.PHONY: clean
clean: ## Remove the environment and everything that was made
	@rm -rf $(VENV) demo-workspace demo-openstack-workspace dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
