# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
STRANGERS := .strangers
SOURCE := src/google_drive_worker/normalization/fast_page.pyx src/google_drive_worker/messages/fast_envelope.pyx
INCLUDED := $(wildcard src/google_drive_worker/normalization/*.pxi)

.DEFAULT_GOAL := help
.PHONY: help setup demo test strangers check fix chaos bench lock clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make .venv from the lock (the other commands do it by themselves)

$(LOCKED): requirements/dev.lock
	@echo "Setting up $(VENV) from requirements/dev.lock ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml setup.py $(SOURCE) $(INCLUDED)
	@echo "Compiling and installing the package ..."
	@rm -f $(SOURCE:.pyx=.*.so)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## run the main job on embedded defaults; pass flags with ARGS="--files 5000"
	@$(BIN)/google-drive-worker demo $(ARGS)

test: $(READY)  ## run every test, two at a time, then those that measure time; pass flags with ARGS="-k cursor"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone" $(ARGS)
	@$(BIN)/python -m pytest -m alone $(ARGS) || [ $$? -eq 5 ]

strangers: $(STRANGERS)/.python $(STRANGERS)/.go $(STRANGERS)/.node  ## prepare the clients that the tests hold the simulated Drive against (.strangers)

$(STRANGERS)/.python: requirements/strangers.lock
	@echo "Setting up $(STRANGERS)/python from $< ..."
	@$(PYTHON) -m venv --clear $(STRANGERS)/python
	@$(STRANGERS)/python/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(STRANGERS)/.go: $(addprefix tests/strangers/go/,go.mod go.sum main.go)
	@mkdir -p $(STRANGERS)
	@if command -v go >/dev/null; then \
		echo "Building $(STRANGERS)/go/client ..." && cd tests/strangers/go && \
		GOTOOLCHAIN=local go build -mod=readonly -o $(CURDIR)/$(STRANGERS)/go/client . && touch $(CURDIR)/$@; \
	else rm -rf $(STRANGERS)/go; echo "!!!!! Go is not there: the simulator will NOT be held against its client !!!!!"; fi

$(STRANGERS)/.node: $(addprefix tests/strangers/node/,package.json package-lock.json)
	@mkdir -p $(STRANGERS)/node
	@if command -v npm >/dev/null; then \
		echo "Installing $(STRANGERS)/node ..." && cp $^ $(STRANGERS)/node && cd $(STRANGERS)/node && \
		npm ci --silent --no-audit --no-fund --ignore-scripts && touch $(CURDIR)/$@; \
	else rm -rf $(STRANGERS)/node; echo "!!!!! npm is not there: the simulator will NOT be held against Google's Node.js client !!!!!"; fi

chaos: $(READY)  ## every fault, many seeds, on a real broker (about 40 minutes); ARGS="--fault frozen --seed 7"
	@cd tests && $(CURDIR)/$(BIN)/python -m chaos $(ARGS)

check: $(READY)  ## lint, format, types and the floors of the house; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(READY)  ## mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

$(BENCH_READY): $(READY) requirements/bench.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

bench: $(BENCH_READY)  ## measure the full path beside its floor, as ratios of one run
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(READY)  ## resolve requirements/*.lock from pyproject.toml
	@$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --output-file requirements/runtime.lock pyproject.toml
	@$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra dev --output-file requirements/dev.lock pyproject.toml
	@$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --all-build-deps --only-build-deps --constraint requirements/dev.lock --output-file requirements/build.lock pyproject.toml
	@$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --extra bench --constraint requirements/dev.lock --output-file requirements/bench.lock pyproject.toml
	@$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --output-file requirements/strangers.lock requirements/strangers.in

clean:  ## remove what was made
	@rm -rf $(VENV) $(STRANGERS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist $(SOURCE:.pyx=.c) $(SOURCE:.pyx=.*.so)
