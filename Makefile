# make up | test | check | lock. `ENGINE=gpu` installs the official CUDA build of vLLM instead of the CPU one.
ENGINE ?= cpu
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: setup setup-dev up check test soak lock bench-overhead bench-through bench-shed bench-start bench-cold-start bench-adapters bench-fairness bench-import bench-curation bench-training
.DEFAULT_GOAL := help

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# A stamp is named after the bytes of the lock it installed, so a second call installs nothing.
stamp      = $(VENV)/.installed-$(1)-$(shell cat $(2) 2>/dev/null | sha256sum | cut -c1-16)
RUN_STAMP := $(call stamp,$(ENGINE),requirements/$(ENGINE).lock)
APP_STAMP := $(call stamp,app,pyproject.toml)
DEV_STAMP := $(call stamp,dev,requirements/dev.lock)

$(RUN_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo "Troupe needs Python 3.11: install it, or say PYTHON=/path/to/python3.11."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-cpu-* $(VENV)/.installed-gpu-*
	@echo "Installing $(ENGINE) packages into $(VENV) (about 3 GB for cpu, once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements/$(ENGINE).lock || { echo "Installing failed; if torch was not found, see \"Install\" in README.md."; exit 1; }
	@touch $@

$(APP_STAMP): $(RUN_STAMP)
	@rm -f $(VENV)/.installed-app-*
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(APP_STAMP)
	@rm -f $(VENV)/.installed-dev-*
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements/dev.lock
	@touch $@

# What the benchmarks are run beside, in a venv of its own: its versions of FastAPI and others are not ours.
PEERS       := .venv-peers
PEERS_STAMP := $(PEERS)/.installed-$(shell cat requirements/peers.lock 2>/dev/null | sha256sum | cut -c1-16)

$(PEERS_STAMP):
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@rm -f $(PEERS)/.installed-*
	@echo "Installing litellm and vllm-router into $(PEERS) …"
	@$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements/peers.lock
	@touch $@

setup: $(APP_STAMP)  ## install what running needs into .venv (ENGINE=cpu|gpu)

setup-dev: $(DEV_STAMP)

up: setup  ## serve: gateway and engine; builds a demo first if no base is set (Ctrl-C stops everything)
	@exec $(BIN)/troupe up

check: setup-dev  ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup-dev  ## all tests, the ones on real vLLM included: those of the whole stack last, as it wants the cores for itself
	$(BIN)/python -m pytest -n 3 --dist worksteal --ignore tests/end_to_end
	$(BIN)/python -m pytest tests/end_to_end

soak: setup-dev  ## the same with large counts, where a test has one, and ten minutes of fuzzing (an hour or more)
	$(BIN)/python -m pytest --soak $$(grep -rlw soak tests --include='test_*.py')
	$(BIN)/python -m tests.adapters.registry.fuzz_header --minutes 10

# --- benchmarks: see docs/benchmarks.md. They want a machine that does nothing else. ---------------------------------------
BENCH_HOME ?= $(or $(TROUPE_HOME),$(HOME)/.local/share/troupe)

bench-overhead: setup-dev $(PEERS_STAMP)  ## what the gateway costs, beside LiteLLM, FastAPI with httpx, and no gateway (about 20 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m loadtests.benchmarks.overhead --demo "$$demo" --peers $(PEERS) $(BENCH_OPTIONS)

bench-through: setup-dev $(PEERS_STAMP)  ## how much of a real engine's throughput arrives through the gateway, beside LiteLLM (about 6 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m loadtests.benchmarks.through --demo "$$demo" --peers $(PEERS) $(BENCH_OPTIONS)

bench-shed: setup-dev  ## how quickly those are told who cannot be served, at ten times the load (about 6 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m loadtests.benchmarks.shed --demo "$$demo" $(BENCH_OPTIONS)

bench-start: setup-dev  ## how long a start takes to its first token (about 1 minute)
	@$(BIN)/python -m adapters.demo --home "$(BENCH_HOME)" >/dev/null && $(BIN)/python -m loadtests.benchmarks.start --home "$(BENCH_HOME)"

bench-cold-start: setup-dev  ## how long an engine takes to its first token: plain vLLM, cold, standby (about 8 minutes)
	@$(BIN)/troupe bench cold-start --home "$(BENCH_HOME)" $(BENCH_OPTIONS)

bench-adapters: setup-dev  ## how long streams stand still while adapters come that are not loaded (about 5 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m loadtests.benchmarks.adapters --demo "$$demo"

bench-fairness: setup-dev $(PEERS_STAMP)  ## who waits how long on one real engine: plain vLLM, litellm, vllm-router, Troupe (about 50 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m loadtests.benchmarks.fairness --demo "$$demo" $(BENCH_OPTIONS)

bench-import: setup-dev  ## how long a million messages take to import, and how much memory (about 2 minutes, 2 GB of disk)
	@$(BIN)/python -m tests.adapters.sources.bench_import

bench-curation: setup-dev  ## how long curating a million messages takes, and how much memory (about 2 minutes, 2 GB of disk)
	@$(BIN)/python -m tests.adapters.curation.bench_curate

bench-training: setup-dev  ## how fast our recipe trains, and in how much memory, beside the same recipe in TRL (about 5 minutes)
	@demo="$$($(BIN)/python -m adapters.demo --home "$(BENCH_HOME)")" && $(BIN)/python -m tests.adapters.training.bench_training --demo "$$demo"

# --- locks: complete pins with hashes, installed with --no-deps -------------------------------------------------------
COMPILE = $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --no-header --no-annotate --generate-hashes --quiet
# uv does not read pip's configuration: hand it the wheel folder that pip was told of, if there is one.
FIND_LINKS = $(addprefix --find-links ,$(shell $(BIN)/python -m pip config get global.find-links 2>/dev/null))
EVERYTHING = --extra clients --extra discord --extra server --extra train --extra runpod

lock: setup-dev  ## pin everything anew in requirements/*.lock
	$(COMPILE) $(EVERYTHING) --extra engine-cpu --override requirements/cpu.overrides $(FIND_LINKS) -o requirements/cpu.lock
	$(COMPILE) $(EVERYTHING) --extra engine-gpu --override requirements/gpu.overrides -o requirements/gpu.lock
	$(COMPILE) --group dev -c requirements/cpu.lock --override requirements/cpu.overrides $(FIND_LINKS) --no-emit-package torch --no-emit-package pip -o requirements/dev.lock
	$(COMPILE) --extra server -c requirements/cpu.lock -o requirements/gateway.lock
	$(COMPILE) --extra discord -c requirements/cpu.lock -o requirements/bot.lock
	$(BIN)/uv pip compile requirements/peers.in --python-version 3.11 --no-header --no-annotate --generate-hashes --quiet --override requirements/peers.overrides -o requirements/peers.lock
