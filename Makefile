# make run   the dashboard on http://localhost:5006
# make test  everything that must hold: lint, types, tests
#
# Both make .venv, at the exact versions of constraints.txt. Variables: PYTHON (an interpreter, 3.11 or newer),
# PIP_ARGS (for example PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" for the small CPU build of
# torch), WORKERS (processes that run tests; 0: in this one), CHAOS (how many times as long make chaos is), ARGS (passed on: make run ARGS="--port 5007", make test ARGS="-m 'not browser'").

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
WORKERS ?= 2
ARGS ?=
CHAOS ?= 5
TEST_EXTRAS := ogbench,minari,robotics,data,dask,export,language,test,dev
REQUIREMENTS := pyproject.toml constraints.txt
CODE := workbench $(wildcard apps benchmarks) tests

# 3.11 and 3.12 first: ogbench's dm_control has no wheels for later ones.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && exit; done; \
	for p in python3 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done)

.PHONY: help run test lint types pytest chaos lessons lock sbom bench screenshots docs architecture gallery method-pages method-pictures format clean browser node

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

run: $(VENV)/.installed ## Serve the dashboard on http://localhost:5006 (installs on first use)
	$(BIN)/workbench serve $(ARGS)

test: $(VENV)/.installed-test ## Install everything, then lint, types and tests
	@$(MAKE) --no-print-directory browser
	@$(MAKE) --no-print-directory node
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory pytest

lint: $(VENV)/.installed-test ## ruff check, ruff format --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test ## mypy
	$(BIN)/mypy

pytest: $(VENV)/.installed-test ## The tests alone, a file at a time on each of 2 processes: make pytest ARGS="tests/contract -x"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

chaos: $(VENV)/.installed-test ## Kill, fuzz and attack for longer, and print the figures: make chaos CHAOS=20
	WORKBENCH_CHAOS=$(CHAOS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m chaos $(ARGS)

lessons: $(VENV)/.installed-test ## Every lesson in a real JupyterLab (make test takes one of each kind)
	@$(MAKE) --no-print-directory browser
	WORKBENCH_LESSONS=all $(BIN)/python -m pytest -n $(WORKERS) tests/notebooks/test_jupyterlab.py $(ARGS)

bench: $(VENV)/.installed-test ## The benchmarks: tables of ratios
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(VENV)/.installed-test ## Every page on a desktop, on a phone and in the dark, into docs/screenshots/
	$(BIN)/python -m benchmarks.screenshots $(ARGS)

docs: $(VENV)/.installed-test ## The docs site, into build/docs: open build/docs/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

architecture: $(VENV)/.installed-test ## Refresh the picture and the table of rooms in docs/architecture from the import law
	PYTHONPATH=tests:. $(BIN)/python -m contract.rooms_page docs/architecture

gallery: $(VENV)/.installed-test ## Draw the pictures of docs/gallery.md anew, each by its own lines
	$(BIN)/python -m docs.making.gallery

method-pages: $(VENV)/.installed-test ## Refresh the facts in docs/methods from the registry
	$(BIN)/python -m workbench.method_pages docs/methods

method-pictures: $(VENV)/.installed-test ## The same, and draw every rule's picture (trains a small policy: a minute or two)
	$(BIN)/python -m workbench.method_pages docs/methods --pictures

lock: $(VENV)/.installed-test ## Write requirements.lock anew: constraints.txt with the hashes that pip's index gives, for every platform
	$(BIN)/uv pip compile pyproject.toml --all-extras -c constraints.txt --universal --python-version 3.11 --quiet \
	  --generate-hashes --no-annotate --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock

sbom: $(VENV)/.installed-test ## Write sbom.json: every installed package with version, licence and origin (CycloneDX)
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --validate \
	  --output-format JSON -o sbom.json $(BIN)/python

format: $(VENV)/.installed-test ## Rewrite the code in the house format, notebooks without outputs
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	@find . -name '*.ipynb' -not -path './$(VENV)/*' -not -path '*/.ipynb_checkpoints/*' -exec $(BIN)/nbstripout {} +

clean: ## Remove .venv and what the tools left behind
	rm -rf $(VENV) node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- installation -----------------------------------------------------------------------------------------------

# Debian's python3 comes without ensurepip: try venv, then virtualenv and uv, then (as root) the missing package.
$(BIN)/python:
	@test -n "$(PYTHON)" || { \
	  echo "No Python 3.11 or newer was found. Install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv;" >&2; \
	  echo "macOS: brew install python@3.12) or name it: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is not Python 3.11 or newer." >&2; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" --version)"
	@fresh() { "$(PYTHON)" -m venv --clear $(VENV) >$(VENV).log 2>&1 && $(BIN)/python -m pip --version >/dev/null 2>&1; }; \
	sudo=; test "$$(id -u)" = 0 || sudo="sudo -n"; \
	fresh || { rm -rf $(VENV); "$(PYTHON)" -m virtualenv -q $(VENV) 2>/dev/null; } \
	  || { command -v uv >/dev/null && uv venv -q --seed --python "$(PYTHON)" $(VENV); } \
	  || { command -v apt-get >/dev/null && $$sudo true 2>/dev/null \
	       && $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends python3-venv && fresh; } \
	  || { cat $(VENV).log >&2; rm -rf $(VENV) $(VENV).log; \
	       echo "Could not make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }; \
	rm -f $(VENV).log

$(VENV)/.installed: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[$(TEST_EXTRAS)]"
	@touch $@ $(VENV)/.installed

# tests/chromium.py knows where a browser may be; the distribution's own is tried first, then Playwright's download.
# nginx, for the test of docs/nginx.conf, comes in a container of Debian's alone: elsewhere apt would also start it, on port 80.
# Where it is missing that test says so.
browser: $(VENV)/.installed-test ## Make sure that there is a Chromium for the browser tests, and in a container nginx
	@if ! PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null && command -v apt-get >/dev/null && test "$$(id -u)" = 0 \
	  && test ! -d /run/systemd/system && grep -qs '^ID=debian' /etc/os-release; then \
	  echo "Installing nginx for the test behind a proxy"; \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light openssl; } || true; \
	fi
	@$(BIN)/python tests/chromium.py >/dev/null 2>&1 && exit; \
	echo "Installing Chromium for the browser tests"; \
	sudo=; test "$$(id -u)" = 0 || sudo="sudo -n"; \
	if command -v apt-get >/dev/null && $$sudo true 2>/dev/null && grep -qs '^ID=debian' /etc/os-release; then \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
	fi; \
	$(BIN)/python tests/chromium.py >/dev/null 2>&1 && exit; \
	{ $$sudo true 2>/dev/null && $(BIN)/playwright install --with-deps chromium; } || $(BIN)/playwright install chromium; \
	$(BIN)/python tests/chromium.py

# The pages' scripts ship as they are and need nothing of this: it checks their types, rules and units (tests/contract/test_javascript.py).
node: $(VENV)/.installed-test ## Make sure that there is node with the checks of the pages' scripts (package-lock.json)
	@$(BIN)/python tests/node_tools.py >/dev/null
