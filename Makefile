# Switchgear's chores. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
STAMP := .venv/.switchgear-setup
PEERS := .venv/peers
export PYTHON

.PHONY: help setup demo test lint bench docs drill soak audit wheel lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

setup: $(STAMP) ## make .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt hatch_build.py package.json package-lock.json scripts/setup.sh
	@scripts/setup.sh
	@touch $@

demo: setup ## a real model through the gate, then a running dashboard
	@$(BIN)/switchgear demo

test: setup lint ## every check and every test
	@scripts/browser.sh
	$(BIN)/pytest --cov

lint: setup ## style, floors and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: setup $(PEERS) ## run every benchmark beside its peers; each prints its numbers
	@export PYTHONPATH=$(PEERS); for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

$(PEERS): benchmarks/peers.txt
	@echo "bench: installing the peers into $@"
	@rm -rf $@
	@$(BIN)/python -m pip install --quiet --target $@ --requirement $<
	@touch $@

docs: setup ## build the site (build/site), strictly, and check that docs/ says what the code does
	$(BIN)/mkdocs build --strict
	$(BIN)/pytest -m docs

audit: setup ## the bill of materials (build/sbom.cdx.json), and what is known against what is in it; 4: could not look
	@$(BIN)/python scripts/audit.py

wheel: setup ## build the wheel (dist/), the same bytes from the same commit, and try it in an empty environment
	@scripts/wheel.sh

drill: setup ## make failures happen and measure what comes of them, on this machine
	@$(BIN)/switchgear drill

soak: setup ## ten minutes of traffic: memory, files, ledger and latency must stay flat
	$(BIN)/python benchmarks/soak.py --minutes 10

lock: setup ## pin today's newest compatible releases in constraints.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --group audit --group dev --universal --python-version 3.11 \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file constraints.txt

clean: ## remove what these commands made, .venv too
	rm -rf .venv build dist htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	    src/switchgear/web/static/vendor
