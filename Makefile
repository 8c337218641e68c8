# Everything a fresh machine needs: `make quickstart` runs the main job, `make test` passes the tests.
# Each makes its own environment in .venv on first use. GPU=1 installs torch with GPU support.
VENV ?= .venv
export VENV GPU
BIN := $(VENV)/bin
PYTEST := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help install quickstart lint test test-all docs clean

help:
	@echo "make quickstart   the whole method on embedded parts, offline, in minutes"
	@echo "make test         lint, types and the core tests"
	@echo "make test-all     the above with every extra, a real browser and the docs' snippets"
	@echo "make docs         the documentation site in build/docs; warnings and dead links are errors"
	@echo "make install      only make the environment; then: . $(VENV)/bin/activate"
	@echo "make clean        remove what was built (not runs)"

install:
	@scripts/install.sh core

quickstart: install
	@$(BIN)/rac quickstart

lint:
	@scripts/install.sh test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(PYTEST) -m "not extra" -n 2 --dist loadfile

test-all: lint
	@scripts/install.sh all
	$(PYTEST) -n 2 --dist loadfile

docs:
	@scripts/install.sh all
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs

clean:
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
