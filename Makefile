# Every command sets up what it needs in .venv from hashed pins; only Python 3.11 or newer and make are needed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PINS := services/requirements/testing.txt
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo run test check kills mutants bench format clean engine images secrets

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(READY): $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) from $(PINS) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(PINS)
	@touch $@

demo: $(READY) ## The whole pipeline on this machine for a minute, ending with a proof (SOURCE=events.jsonl, SECONDS=60).
	@$(RUN) -m testing.demo $(if $(SOURCE),--source $(SOURCE)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE))

run: $(READY) ## The same against Bluesky's public hosts, for as long as you like; archive in ./data.
	@$(RUN) -m testing.demo --live --archive data

test: $(READY) ## Every test that can run here (ARGS="-k name" to choose).
	@$(RUN) -m pytest $(ARGS)

check: $(READY) ## Format, lint, types and import rules.
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

kills: $(READY) ## Kill writer, ingester and Redis again and again, then audit (ARGS="--seed 2 --kind v2").
	@$(RUN) -m testing.chaos.kills $(ARGS)

mutants: $(READY) ## Take each rule out and show what is lost or doubled without it (about five minutes).
	@$(RUN) -m testing.mutants $(ARGS)

bench: $(READY) ## Ingester and writer, beside a bare websocket loop and DuckDB, on this machine.
	@$(RUN) -m testing.bench $(ARGS)

format: $(READY) ## Format the code and mend what can be mended by itself.
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

secrets: ## Make the passwords of the Compose stack, once; what exists stays.
	@$(PYTHON) -m deployment.make_secrets

engine: ## On a bare Debian machine, as root: Docker Engine, Compose, and stand-ins for images that cannot be pulled.
	@$(PYTHON) -m testing.engine
	@$(PYTHON) -m testing.images

images: ## Only the stand-ins that this engine lacks.
	@$(PYTHON) -m testing.images

clean: ## Remove the environment and every cache; archives stay.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
