# Each target sets up what it needs: a virtual environment, filled from pyproject.toml by .ci/environment.
#
#   make test                       with the first Python of the usual names that is 3.11 or newer, in .venv
#   PYTHON=python3.13 make test     with that one, in an environment of its own, .venv-3.13
#   ARGS="-k single_flight" make test     further arguments, for pytest, the demo and the benchmarks alike

.DEFAULT_GOAL := help
.PHONY: help test demo bench soak docs docs-serve lint format clean

ifdef PYTHON
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
else
VENV := .venv
endif
export PYTHON

RUN := $(VENV)/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## run all tests; linters, type checkers and import contracts are among them
	@.ci/environment $(VENV) dev
	@$(RUN) -m pytest --numprocesses auto --dist worksteal $(ARGS)

demo: ## run a web service without and with the cache, in memory and in Redis, and compare
	@.ci/environment $(VENV) demo
	@$(RUN) docs/examples/demo/main.py $(ARGS)

bench: ## measure the library against a floor and against its rivals
	@.ci/environment $(VENV) bench
	@$(RUN) -m bench $(ARGS)

docs: ## build the documentation as a site, in build/site
	@.ci/environment $(VENV) docs
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict $(ARGS)

docs-serve: ## show that site on this machine, and build it anew when a page is saved
	@.ci/environment $(VENV) docs
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs serve $(ARGS)

soak: ## use all storages for ten minutes while servers and processes are killed, and report
	@.ci/environment $(VENV) dev
	@$(RUN) -m tests.soak $(ARGS)

lint: ## run the linters, type checkers and import contracts alone
	@.ci/environment $(VENV) dev
	@$(RUN) -m pytest tests/house tests/typing $(ARGS)

format: ## put the code in its form and mend what can be mended
	@.ci/environment $(VENV) dev
	@$(RUN) -m ruff check --fix-only --quiet
	@$(RUN) -m ruff format

clean: ## remove environments, caches and builds
	rm -rf .venv .venv-* build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
