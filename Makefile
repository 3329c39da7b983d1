# make book | test | lab | site | lint | mutants | text | student | clean. Each sets up .venv by itself,
# once, from requirements.lock; site has a small .venv-site of its own, from site/requirements.txt.
# Another Python (3.11 or newer):  make test PYTHON=python3.12
# Linux without CUDA libraries (5 GB less; torch then comes from its own index):  make test TORCH=cpu

PYTHON ?= python3
TORCH ?=
BIN := .venv/bin
READY := .venv/.ready
SITE := .venv-site/bin
SITE_READY := .venv-site/.ready
# uv is taken from the PATH, or else installed into the environment, whose folder is $(1)
UV = $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(1)/bin/uv)

.DEFAULT_GOAL := help
.PHONY: help book test lab site lint mutants text student clean

help:  ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(READY)  ## execute every notebook of the demo recipe (minutes on two cores)
	@$(BIN)/occkd run demo

test: lint  ## ruff, mypy, pytest, and every notebook under nbval, with its solutions
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto
	@# the book in two halves side by side, the solutions of the exercises among the cells; chapters 15, 16
	@# and 18 have time beside the first part. The report reads what both have made: alone, so beside mypy
	@outputs=$$(mktemp -d) && trap 'rm -rf "$$outputs"' EXIT && \
	export OMP_NUM_THREADS=1 OCCKD_OUTPUTS="$$outputs" && \
	nbval="$(BIN)/pytest -q -p no:cacheprovider --durations=5 --nbval-lax --nbval-current-env \
	  --nbval-sanitize-with tests/nbval.cfg" && \
	together() { second=$$1; shift; $$second > "$$outputs/second.log" 2>&1 & pid=$$!; \
	  "$$@"; one=$$?; wait $$pid; two=$$?; cat "$$outputs/second.log"; test $$one$$two = 00; } && \
	rm -rf build/solved && $(BIN)/occkd edition solved && \
	together "$$nbval build/solved/1[1-47]*.ipynb" \
	  $$nbval build/solved/0*.ipynb build/solved/1[0568]*.ipynb && \
	together $(BIN)/mypy $$nbval build/solved/19*.ipynb
	@echo "Passed: ruff (lint and format), mypy, pytest, and the notebooks under nbval."

lint: $(READY)  ## ruff only: lint and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

mutants: $(READY)  ## change one line at a time: does the suite notice?
	$(BIN)/python tests/mutants.py $(ONLY)

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/occkd lab -- --allow-root

text: $(READY)  ## the chapters as text (notebooks/text), in which a change can be read
	@$(BIN)/jupytext --quiet --to text//md:myst notebooks/[0-9]*.ipynb

student: $(READY)  ## the chapters without solutions, for a class: build/student
	@$(BIN)/occkd edition student

site: $(SITE_READY)  ## the book as a web site: chapters, results, API (a minute)
	@$(SITE)/python site/stage.py build/site
	@OMP_NUM_THREADS=1 $(SITE)/sphinx-build -q -W --keep-going -j 2 -b html -c site \
	  build/site/source build/site/html
	@$(SITE)/python site/links.py build/site/html
	@echo "Open build/site/html/index.html in a browser."

clean:  ## remove environments and caches; outputs/ stays
	rm -rf .venv .venv-site build dist ./*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A second call finds .ready up to date.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: make PYTHON=python3.12 (now: $(PYTHON))" >&2; exit 1; }
	@echo "Setting up $(1), once.$(2)"
	@$(UV) --version >/dev/null 2>&1 || { \
	  $(PYTHON) -m venv $(1) && $(1)/bin/python -m pip install --quiet uv; }
	@test -x $(1)/bin/python || $(UV) venv --quiet --allow-existing --python $(PYTHON) $(1)
endef

$(READY): pyproject.toml requirements.lock
	$(call environment,.venv,$(if $(TORCH),, On Linux torch brings several GB of CUDA libraries.))
	$(if $(TORCH),grep -vE '^(nvidia-(cu|nc|nv)|cuda-|triton)' requirements.lock > .venv/requirements.txt)
	$(call UV,.venv) pip install --quiet --compile-bytecode --python $(BIN)/python \
	  $(if $(TORCH),--torch-backend $(TORCH) -r .venv/requirements.txt,-r requirements.lock)
	$(call UV,.venv) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(SITE_READY): site/requirements.txt
	$(call environment,.venv-site)
	$(call UV,.venv-site) pip install --quiet --compile-bytecode --python $(SITE)/python -r $<
	@touch $@
