# Every target sets up .venv by itself when it is missing or stale; only Python 3.11–3.13 and make are needed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test nightly check format docs bench pins clean

BIN := .venv/bin
SEEDS := 10000
# The first Python that really runs (a name on the PATH may be a shell without a Python behind it).
FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& "$$p" -c 'import sys; print(sys.executable)' && break; done
# What an environment was made from: the two files, and where it stands (its scripts hold that path).
FINGERPRINT = { cat pyproject.toml pins.txt; pwd; } | cksum

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r n d; do printf '  make %-8s %s\n' "$$n" "$$d"; done

setup: ## .venv with exact versions (done by every other target when needed)
	@if [ -x $(BIN)/sync-platform ] && $(BIN)/python -c '' 2>/dev/null && [ "$$(cat .venv/made-from 2>/dev/null)" = "$$($(FINGERPRINT))" ]; then exit 0; fi; \
	python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "make: no Python 3.11, 3.12 or 3.13 with venv was found; install one, or name it: make setup PYTHON=/path/to/python" >&2; exit 1; fi; \
	echo "Setting up .venv with $$python (once; a few minutes) …" >&2; \
	rm -rf .venv; \
	if command -v uv >/dev/null 2>&1 \
		&& uv venv --quiet --no-python-downloads --python "$$python" .venv \
		&& uv pip install --quiet --python $(BIN)/python --constraint pins.txt --editable '.[test,dev,e2e]'; then :; else \
		rm -rf .venv; "$$python" -m venv .venv \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint pins.txt --editable '.[test,dev,e2e]' || exit 1; \
	fi; \
	$(FINGERPRINT) > .venv/made-from

demo: setup ## the whole platform on the sandbox, with the Dagster UI; Ctrl-C ends it
	@exec $(BIN)/sync-platform demo $(ARGS)

test: setup ## every test; ARGS="-k name" chooses
	@$(BIN)/python -m pytest $(ARGS)

nightly: setup ## 10,000 invented days (SEEDS=n), and every sequence of up to five events
	@$(BIN)/sync-platform simulate --seeds $(SEEDS) $(ARGS)
	@SYNC_EXHAUSTIVE_DEPTH=5 $(BIN)/python -m pytest -n 0 -s tests/core/test_exhaustive.py

check: setup ## format, lint, strict types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup ## write docs/reference from the code
	@$(BIN)/python docs/generate.py

bench: setup ## measure, and write docs/reference/figures.md
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

pins: setup ## renew pins.txt from pyproject.toml (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate --no-emit-index-url --output-file pins.txt pyproject.toml

clean: ## remove .venv, caches and the demo's data; never a ledger
	@rm -rf .venv build dist .sync/demo .sync/cache .ruff_cache .import_linter_cache .hypothesis .mypy_cache .pytest_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
