# One word a job. `make` alone lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
PIP_OPTIONS ?=
WORKERS ?= 2
BIN = $(VENV)/bin
export GENEDU_PROGRESS ?= 1

.DEFAULT_GOAL := help
.PHONY: help lab instructor test lint unit chapters browser sync matrix lowest bench system clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Set-up. A stamp is younger than what it was made from, so a second call does nothing.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("Python %d.%d found; 3.11 to 3.13 needed: make PYTHON=/path/to/python3.11 ..." % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.course: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt -e '.[course]'
	@touch $@

$(VENV)/.instructor: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt -e '.[course,instructor]'
	@touch $@ $(VENV)/.course

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt -e '.[test]'
	$(BIN)/python -m pip check
	@touch $@ $(VENV)/.course $(VENV)/.instructor

lab: $(VENV)/.course ## open the course in JupyterLab
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/course $(LAB_OPTIONS)

instructor: $(VENV)/.instructor ## the environment for `genedu grade` (docs/instructors.md)

test: lint unit chapters browser ## everything that CI checks

lint: $(VENV)/.test ## style, types, who imports whom, notebook pairs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/sync.py --check

unit: $(VENV)/.test ## the library's own tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not browser" tests

chapters: $(VENV)/.test ## every cell of course/ and solutions/, strictly against its stored output
	$(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with nbval-sanitize.cfg \
		-n $(WORKERS) --dist loadfile -o filterwarnings=default course solutions

browser: $(VENV)/.test ## chapters in JupyterLab in a headless Chromium: run, move a slider
	$(BIN)/python -m pytest -m browser tests/browser

sync: $(VENV)/.test ## build and run the notebooks from their .py, then the exercises; ONLY=01 for one chapter, ONLY="--fresh 01" keeps no picture
	GENEDU_PROGRESS=0 $(BIN)/python tools/sync.py $(ONLY)

matrix: $(VENV)/.test .venv-lowest/.lowest ## chapters again: plain CPU code path, two threads, lowest versions
	ATEN_CPU_CAPABILITY=default $(MAKE) chapters
	GENEDU_THREADS=2 $(MAKE) chapters WORKERS=1 # two processes of two threads wait for each other on two cores
	$(MAKE) lowest

lowest: .venv-lowest/.lowest ## chapters with the lowest supported versions
	$(MAKE) chapters VENV=.venv-lowest

.venv-lowest/.lowest: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --disable-pip-version-check $(PIP_OPTIONS) -c constraints-lowest.txt -e '.[test]'
	@touch $@ .venv-lowest/.test .venv-lowest/.course .venv-lowest/.instructor

bench: $(VENV)/.test ## measure what benchmarks/README.md says
	$(BIN)/python benchmarks/yardstick.py
	$(BIN)/python benchmarks/foundation.py
	$(BIN)/python benchmarks/gmm.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/nade.py
	$(BIN)/python benchmarks/bits.py
	$(BIN)/python benchmarks/nll.py
	$(BIN)/python benchmarks/pixel_sampling.py
	$(BIN)/python benchmarks/sequences.py
	$(BIN)/python benchmarks/wavenet.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/vae.py
	$(BIN)/python benchmarks/infinite_vae.py
	$(BIN)/python benchmarks/gan.py
	$(BIN)/python benchmarks/large_gan.py
	$(BIN)/python benchmarks/loop.py

# Chromium and bubblewrap. What cannot be installed here is said, and the tests that need it say so again.
system: ## Debian packages that some tests need: installs what is missing (as root), else says what to type
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || set -- chromium; \
	command -v bwrap >/dev/null || set -- "$$@" bubblewrap; \
	if [ $$# = 0 ]; then echo "Chromium and bubblewrap are here."; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends "$$@"; then echo "Installed: $$*."; \
	else echo "Missing: $$*. Type: sudo apt-get install $$*"; fi

clean: ## remove the virtual environments and caches
	rm -rf .venv .venv-lowest .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
