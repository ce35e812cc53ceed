# make demo   set up and run the demonstration region
# make test   set up and run the tests
# make lint   ruff and mypy
# make bench  kernels, whole runs and peak memory, written into benchmarks/README.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-boundscheck lint bench clean

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/rusle demo --out demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term

# The compiled kernels once more, with every index checked.
test-boundscheck: $(STAMP)
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest -q -n auto --dist loadfile tests/kernels tests/terrain tests/factors tests/erosion tests/assessment

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf $(VENV) dist build demo .pytest_cache .mypy_cache .ruff_cache
