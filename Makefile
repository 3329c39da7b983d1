# make book | test | lab | lint | mutants | clean. Each sets up .venv by itself, once, from requirements.lock.
# Another Python (3.11 or newer):  make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)

.DEFAULT_GOAL := help
.PHONY: help book test lab lint mutants clean

help:  ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(READY)  ## execute every notebook of the demo recipe (minutes on two cores)
	@$(BIN)/occkd run demo

test: lint  ## ruff, mypy, pytest, and every notebook under nbval
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto
	@# the two parts of the book side by side; the results chapter reads what both have made
	@outputs=$$(mktemp -d) && trap 'rm -rf "$$outputs"' EXIT && \
	export OMP_NUM_THREADS=1 OCCKD_OUTPUTS="$$outputs" && \
	nbval="$(BIN)/pytest -q -p no:cacheprovider --durations=5 --nbval-lax --nbval-current-env \
	  --nbval-sanitize-with tests/nbval.cfg" && \
	{ $$nbval notebooks/1[1-9]*.ipynb > "$$outputs/second.log" 2>&1 & second=$$!; \
	  $$nbval notebooks/0*.ipynb; first=$$?; \
	  wait $$second; second=$$?; cat "$$outputs/second.log"; \
	  test $$first -eq 0 -a $$second -eq 0; } && \
	$$nbval notebooks/10*.ipynb
	@echo "Passed: ruff (lint and format), mypy, pytest, and the notebooks under nbval."

lint: $(READY)  ## ruff only: lint and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

mutants: $(READY)  ## change one line at a time: does the suite notice?
	$(BIN)/python tests/mutants.py $(ONLY)

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/occkd lab -- --allow-root

clean:  ## remove .venv and caches; outputs/ stays
	rm -rf .venv build dist ./*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is taken from the PATH, or else installed into .venv. A second call finds .ready up to date.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: make PYTHON=python3.12 (now: $(PYTHON))" >&2; exit 1; }
	@echo "Setting up .venv, once. On Linux, torch brings several GB of CUDA libraries."
	@$(UV) --version >/dev/null 2>&1 || { \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	@test -x $(BIN)/python || $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
