# Every command installs what it needs into .venv from hashed pins; only Python 3.11 or newer and make are required.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PINS := services/requirements/testing.txt
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo run archive test fast check chaos mutants model bench format clean engine images secrets dashboards panels load soak \
    pulled build release deploy rollback

help: ## Show this list.
	@echo "New here? make demo: the whole pipeline for a minute, with a proof. README.md has the rest."
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' Makefile

$(READY): $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) from $(PINS) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(PINS)
	@touch $@

demo: $(READY) ## The whole pipeline on this machine for a minute, ending with a proof (SOURCE=events.jsonl, SECONDS=60).
	@$(RUN) -m testing.demo $(if $(SOURCE),--source $(SOURCE)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE))

run: $(READY) ## The same against Bluesky's public hosts until Ctrl-C; archive in ./data.
	@$(RUN) -m testing.demo --live --archive data

archive: $(READY) ## The command `archive` on ARCHIVE_ROOT (./data): ARGS="status", ARGS="--help".
	@$(RUN) -m services.tools.main $(ARGS)

test: $(READY) ## Every test that can run here, an hour or more (ARGS="-k name" to select).
	@$(RUN) -m pytest $(ARGS)

# They need root, strace or rclone, or run whole daemons: pull requests run them.
WHOLE := services/data_writer/tests/test_data_writer.py deployment/tests/test_hetzner_deployment.py deployment/tests/test_backup.py

fast: $(READY) ## What a push to main must pass beside `check`: the packages' tests, at most six minutes.
	@$(RUN) -m pytest -m "not containers and not pipelines" $(WHOLE:%=--ignore=%) services deployment testing/tests/test_audit.py $(ARGS)

check: $(READY) ## Format, lint, types and import rules; a minute or two.
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@echo "Next: make fast (the packages' tests, six minutes), or make test (all tests)"

chaos: $(READY) ## Kills, cuts, faulty hosts and lost data from a seed, then audits: ten minutes (SEED, RUNS, JOBS, REPORT).
	@$(RUN) -m testing.proof.chaos $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(if $(JOBS),--jobs $(JOBS)) $(if $(REPORT),--report $(REPORT)) $(ARGS)

mutants: $(READY) ## Remove each rule and show what is lost or doubled without it (about five minutes).
	@$(RUN) -m testing.proof.mutants $(ARGS)

model: $(READY) ## Try every order of steps and faults in a small model, then without each rule (about five minutes).
	@$(RUN) -m testing.proof.model $(ARGS)

bench: $(READY) ## Speed and size, compared with the usual alternatives, in half an hour (SOURCE=events.jsonl, ARGS="--paths 2").
	@$(RUN) -m testing.performance.bench $(if $(SOURCE),--source $(SOURCE)) $(ARGS)

load: $(READY) ## Load test with a verdict: SHAPE=planned|steady|replay|spike|ramp|soak TARGET=processes|compose (SECONDS, RATE, WEB=1, WORKERS=2).
	@$(RUN) -m testing.performance.load $(or $(SHAPE),spike) $(if $(TARGET),--target $(TARGET)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(if $(WORKERS),--processes $(WORKERS)) $(if $(WEB),--web) $(ARGS)

soak: $(READY) ## Two days of event time in 40 minutes; REALTIME=1: in two days; SOURCE=live: on the public hosts.
	@$(RUN) -m testing.performance.load.soak $(if $(REALTIME),--realtime) $(if $(filter live,$(SOURCE)),--live) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(ARGS)

format: $(READY) ## Format the code and apply automatic fixes.
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

dashboards: $(READY) ## Generate Grafana's dashboards from services/monitoring/dashboards.
	@$(RUN) -m services.monitoring.dashboards

panels: $(READY) ## A running stack's Pipeline dashboard as panels.png, and panel, query, value (ARGS="--page host").
	@$(RUN) -m testing.monitoring.panels $(ARGS)

secrets: ## Create the passwords of the Compose stack; existing files stay.
	@$(PYTHON) -m deployment.make_secrets
	@echo "Next: docker compose up --build --wait"

engine: ## On a bare Debian machine, as root: Docker Engine, Compose, and stand-ins for images that cannot be pulled.
	@$(PYTHON) -m testing.environment.engine
	@$(PYTHON) -m testing.environment.images

images: ## Only the stand-ins that this engine lacks.
	@$(PYTHON) -m testing.environment.images

pulled: ## Where images can be pulled: all of them, and no stand-ins.
	@$(PYTHON) -m testing.environment.images.pulled

# Where images go (PREFIX), and the commit that is checked out (SHA); ATTEST=1 adds an SBOM and provenance.
build: $(READY) ## Build and push a commit's images for this processor (PREFIX, SHA, ATTEST=1).
	@$(RUN) -m deployment.release build --prefix "$(PREFIX)" --sha "$(SHA)" $(if $(ATTEST),--attest) $(ARGS)

release: $(READY) ## Make a release of what `build` pushed (PREFIX, SHA, MACHINES=x86_64,aarch64).
	@$(RUN) -m deployment.release publish --prefix "$(PREFIX)" --sha "$(SHA)" $(if $(MACHINES),--machines $(MACHINES)) $(ARGS)

deploy: $(READY) ## Deploy a commit whose release is in the registry (SHA; DEPLOY_HOST, DEPLOY_KEY, DEPLOY_KNOWN_HOSTS).
	@$(RUN) -m deployment.deploy "$(SHA)"

rollback: $(READY) ## Roll back to a release that is still on the host (SHA; DEPLOY_* as above).
	@$(RUN) -m deployment.deploy --rollback "$(SHA)"

clean: ## Remove the environment and all caches; archives stay.
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
