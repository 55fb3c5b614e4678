# Every target works from a fresh clone with git, make and Python >= 3.11 (with pip).
#   make demo PYTHON=python3.12              another Python
#   make demo EXTRAS=eval,cuda13 ARGS='--device cuda'
#   make test ARGS='-k gradcheck'
PYTHON ?= python3
VENV := .venv
EXTRAS ?= eval,fast
ARGS ?=
ISA ?= native
BIN := $(VENV)/bin
BASE := $(VENV)/.base-$(EXTRAS)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
.DEFAULT_GOAL := help
.PHONY: help demo test lint parity browser fuzz matrix bench bench-peers gpu results pictures notebooks docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## */\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: $(BASE)  ## write the default images, train, evaluate, draw: runs/demo/report.html (ARGS=--quick: one minute)
	$(BIN)/python -m jepa demo $(ARGS)

test: $(VENV)/.test  ## run the whole suite (ARGS='-k name' for a part)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not parity" $(ARGS)

lint: $(VENV)/.lint  ## check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

parity: $(VENV)/.parity  ## run the tests that compare with PyTorch (installs it into .venv)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m parity $(ARGS)

browser: $(VENV)/.browser  ## run the tests of `jepa explore` in Chromium, if one is installed (installs Playwright into .venv)
	$(BIN)/python -m pytest -q -m browser tests/jepa/explore $(ARGS)

fuzz: $(VENV)/.test  ## kills, faults of the file system, mutated files, odd settings (ARGS='--seconds 60 --seed 3 --only images')
	$(BIN)/python -m tests.fuzz $(ARGS)

matrix: $(BASE)  ## install the wheel into empty environments, on each Python here, lowest and newest packages; use it (minutes)
	$(BIN)/python -m tests.matrix $(ARGS)

bench: $(VENV)/.parity  ## measure kernels, training steps and memory beside PyTorch (ISA=avx2: both sides held to AVX2)
	$(BIN)/python -m benchmarks --isa $(ISA) $(ARGS)

bench-peers: $(VENV)/.peers  ## measure the CNN step beside MyGrad, HIPS autograd and JAX (installs them into .venv)
	$(BIN)/python -m benchmarks peers --threads 1 $(ARGS)

gpu: $(if $(WHEELS),$(VENV)/.wheels,$(VENV)/.gpu)  ## measure everything on an NVIDIA GPU, in eight minutes (WHEELS=FOLDER: without an index)
	$(BIN)/python -m benchmarks gpu $(ARGS)

results: $(BASE)  ## rerun the experiments behind the README's tables (hours)
	$(BIN)/python -m benchmarks results $(ARGS)

docs: $(VENV)/.docs  ## the reference of all public names, and all differences from NumPy and PyTorch: build/docs/index.html
	$(BIN)/python -m tests.reference $(ARGS)

notebooks: $(VENV)/.notebooks  ## the tour as notebooks with their output, in notebooks/ (ARGS=02 for one)
	$(BIN)/python examples/notebooks.py $(ARGS)

pictures: $(BASE)  ## redraw the pictures of examples/README.md, after make demo
	@test -d runs/demo || { echo "make demo first: the picture of neighbors shows its run"; exit 1; }
	cd examples/pictures && for words in ../02_graph.py ../09_transformer.py "../18_nearest_neighbors.py ../../runs/demo"; do ../../$(BIN)/python $$words || exit 1; done

clean:  ## remove .venv and caches; data/ and runs/ stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One virtual environment; stamp files say which sets of packages it has, so that other EXTRAS are installed when asked for.
# The second way of making it serves a Debian without python3-venv: pip installs into it from outside.
$(BASE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed, and '$(PYTHON)' is not that. Try: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --without-pip --clear $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install -q 'pip>=25.1'; }
	$(BIN)/python -m pip install -q -U 'pip>=25.1'
	$(BIN)/python -m pip install -q -e '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.test $(VENV)/.lint: $(VENV)/.%: $(BASE)
	$(BIN)/python -m pip install -q --group $*
	@touch $@

$(VENV)/.docs $(VENV)/.notebooks $(VENV)/.browser: $(VENV)/.%: $(VENV)/.test
	$(BIN)/python -m pip install -q --group $*
	@touch $@

$(VENV)/.gpu: $(VENV)/.test
	$(BIN)/python -m pip install -q -e '.[eval,fast,cuda13]'
	@touch $@

# Without an index: what this Python has already stays visible (a venv of a venv would not show it), the rest comes out of
# a folder. The packages run from the working directory, as they would need hatchling to be installed.
NEEDS := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")
OFFLINE = $(BIN)/python -m pip install -q --no-index --find-links $(WHEELS)
$(VENV)/.wheels: pyproject.toml
	$(PYTHON) -m venv --without-pip $(VENV)
	$(PYTHON) -c 'import site; print(*site.getsitepackages(), sep="\n")' > "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/around.pth"
	$(PYTHON) -c '$(NEEDS)' > $(VENV)/needs.txt
	$(OFFLINE) -r $(VENV)/needs.txt
	@for name in scikit-learn ml_dtypes pytest hypothesis pytest-timeout pytest-xdist; do $(OFFLINE) $$name || echo "goes on without $$name"; done
	@touch $@

$(VENV)/.parity: $(VENV)/.test
	$(BIN)/python -m pip install -q --group parity
	@touch $@

$(VENV)/.peers: $(VENV)/.parity
	$(BIN)/python -m pip install -q --group peers
	@touch $@
