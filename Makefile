# Every target is what CI runs. `make demo` and `make test` set up all they need in a virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip

.PHONY: demo test check fix types lint cover eval bench docs new-rule wheel clean

$(VENV)/.light: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --disable-pip-version-check -c constraints.txt torch
	$(PIP) install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.light

demo: $(VENV)/.light  ## audit the bundled example packages (light install, no torch)
	$(BIN)/dara demo

test: $(VENV)/.dev  ## run every test
	$(BIN)/python -m pytest -n auto

check: lint types  ## what a change must pass before review, beside the tests

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

fix: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cover: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --cov=dara --cov=naming --cov=clustering --cov=corpora --cov-branch --cov-report=term-missing:skip-covered

eval: $(VENV)/.dev  ## quality figures on the development data, or on a generated set without it
	$(BIN)/python benchmarks/quality.py

bench: $(VENV)/.dev  ## speed: names, the cost of an audit, a batch run (minutes; times are those of this machine)
	$(BIN)/python -m benchmarks.names --speed 20000
	$(BIN)/python -m benchmarks.cost
	$(BIN)/python -m benchmarks.batch --rows 10000

docs: $(VENV)/.dev  ## write the rule pages from the docstrings; a test compares them
	$(BIN)/python -m dara.rules.pages docs/rules

new-rule: $(VENV)/.dev  ## start a rule: make new-rule CODE=DAR107 SLUG=contradicted-thing
	$(BIN)/python -m dara.rules.scaffold '$(CODE)' '$(SLUG)'

wheel: $(VENV)/.dev  ## build the wheel and run it in a bare environment
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --wheel
	rm -rf build/bare && $(PYTHON) -m venv build/bare
	build/bare/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	build/bare/bin/dara demo

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
