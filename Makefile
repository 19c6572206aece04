# Everything that is done with this project. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
ADDRESS ?= localhost
BIN := $(VENV)/bin

.PHONY: help setup setup-dev browser run test check format lock bench faults hostile docker clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## install what the workbench needs into .venv
setup-dev: $(VENV)/.ready-dev ## the same, and what tests and checks need

LOCKED := --constraint requirements.lock
UNLOCKED := The versions of requirements.lock cannot be had for this machine: taking the newest that requirements.txt allows.

$(VENV)/.ready: requirements.txt requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: install it, then run make PYTHON=python3.12 (or whatever it is called)."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The module venv is missing: install the package python3-venv."; exit 1; }
	@echo "Installing the packages of requirements.txt; the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt $(LOCKED) || \
	  { echo "$(UNLOCKED)"; $(BIN)/python -m pip install --quiet --requirement requirements.txt; }
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready pyproject.toml
	@$(BIN)/python -m pip install --quiet --group dev $(LOCKED) || \
	  { echo "$(UNLOCKED)"; $(BIN)/python -m pip install --quiet --group dev; }
	@touch $@

browser: setup-dev
	@$(BIN)/python -m tests.browser.install

run: setup ## open the workbench at localhost:8501 (PORT=... for another port)
	@$(BIN)/python -m engine serve --port $(PORT) --address $(ADDRESS)

test: setup-dev browser ## run every test, a real browser included
	@$(BIN)/python -m compileall -q app engine  # the processes that tests start do not compile them again
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup-dev ## lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup-dev ## put the code into its format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

lock: setup-dev ## renew requirements.lock: the newest versions that are allowed (BOUNDS='torch<=2.14.1' for less)
	@$(BIN)/python -m pip install --quiet 'pip-tools>=7.5,<8'
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], "$(BOUNDS)".replace(" ", "\n"), sep="\n")' \
	  | $(BIN)/python -m piptools compile --quiet --upgrade --allow-unsafe --strip-extras --no-header --no-annotate \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
	    --output-file requirements.lock requirements.txt -

bench: setup-dev ## measure speed: ratios in one process
	@$(BIN)/python -m tests.benchmarks $(ONLY)

faults: setup-dev ## kill, damage, fill and overfill a workspace, and count what is lost; ONLY="kills many" does parts
	@$(BIN)/python -m tests.faults $(ONLY)
	$(if $(ONLY),,@$(BIN)/python -m tests.faults.clusters)

hostile: setup-dev ## bring hostile files to an import, and print how each kind ended
	@$(BIN)/python -W ignore -m tests.hostile

docker: ## build the image distill-workbench
	docker build --tag distill-workbench .

clean: ## remove the virtual environment and caches; the workspace stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
