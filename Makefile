# Postern. `make help` lists the targets.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

# The Python that sets up .venv; everything after that runs in .venv.
PYTHON ?= python3
PY := .venv/bin/python

# More arguments for pytest, such as PYTEST_ARGS="-k driver -x"; "-n 0" runs the tests in one process.
PYTEST_ARGS ?=
ALL_PROCESSORS := -n auto --dist worksteal
# More arguments for `make prove`, such as PROVE_ARGS="--short", "--list" or "--only NAME".
PROVE_ARGS ?=
# The same for `make mutate`, `make faults` and `make cover`.
MUTATE_ARGS ?=
FAULTS_ARGS ?=
COVER_ARGS ?=
# Simulated cycles of `make soak`.
CYCLES ?= 1000000

# Verilator's own makefiles look for programs on the PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# A system Yosys would write other Verilog than the pinned one.
export AMARANTH_USE_YOSYS := builtin
unexport PYTHONPATH PYTHONHOME

define bootstrap
@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	echo "$(PYTHON) must be on the PATH (on Debian: apt-get install python3 python3-venv), not missing." >&2; exit 1; }
@"$(PYTHON)" tools/bootstrap.py $(1)
endef

.PHONY: all help setup setup-fpga setup-formal setup-docs demo wave test test-fpga test-formal check format soak bench synth growth prove prove-controls mutate faults cover gen docs clean distclean

all: demo ## set up, generate the default block, build it in Verilator, run the demonstration (make without a target)

help: ## print this list
	@echo "Usage: make [target]"
	@echo
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what the targets below need into .venv, from pinned versions
	$(call bootstrap,run)

setup-fpga:
	$(call bootstrap,fpga)

setup-formal:
	$(call bootstrap,formal)

setup-docs:
	$(call bootstrap,docs)

demo: setup
	@.venv/bin/postern generate default -o build/default
	@.venv/bin/postern demo

wave: setup ## run the demonstration and record its waveform in build/demo.vcd
	@.venv/bin/postern demo --wave build/demo.vcd

test: setup ## run the tests
	@$(PY) -m pytest -m "not fpga and not formal" $(ALL_PROCESSORS) $(PYTEST_ARGS)

test-fpga: setup-fpga ## run the tests that need synthesis (installs Yosys and nextpnr)
	@$(PY) -m pytest -m fpga $(PYTEST_ARGS)

test-formal: setup-formal ## run the tests of the proofs (installs Yosys as a library and an SMT solver)
	@$(PY) -m pytest -m formal $(PYTEST_ARGS)

check: setup ## lint, format, types, and whether the generated files are current
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) tools/gen.py --check

format: setup ## format the sources and repair what lint can repair
	@$(PY) -m ruff format
	@$(PY) -m ruff check --fix

soak: setup ## long random lockstep run of RTL against the model: make soak CYCLES=100000000
	@$(PY) -m postern_sim.soak --cycles $(CYCLES)

bench: setup ## measure cycles and rates; prints a table, writes build/bench.json
	@$(PY) -m postern_sim.bench

synth: setup-fpga ## area and clock on ECP5; writes build/synth.json (installs Yosys and nextpnr; slow)
	@$(PY) -m postern_fpga.synth

growth: setup-fpga ## how area grows with ports, VMs and blocks; writes build/growth.json (slow)
	@$(PY) -m postern_fpga.growth

prove: setup-formal ## prove the promises; writes build/proofs.json: make prove PROVE_ARGS="--only arbiter"
	@$(PY) -m postern_formal.run $(PROVE_ARGS)

prove-controls: setup-formal ## show that each property catches its seeded bugs; writes build/controls.json
	@$(PY) -m postern_formal.run --controls $(PROVE_ARGS)

mutate: setup-formal ## mutate the hardware and see whether the tests notice; writes build/mutation.json: make mutate MUTATE_ARGS=--short
	@$(PY) -m postern_mutate.run $(MUTATE_ARGS)

faults: setup ## flip bits of what is protected and say what becomes of them; writes build/faults.json: make faults FAULTS_ARGS=--short
	@$(PY) -m postern_sim.faults $(FAULTS_ARGS)

cover: setup ## lines, bits and terms of the Verilog that the tests use; writes build/coverage.md: make cover COVER_ARGS=--short
	@$(PY) -m postern_sim.coverage $(COVER_ARGS)

gen: setup ## write the committed generated files anew: gen/ and docs/registers/
	@$(PY) tools/gen.py

docs: setup-docs ## build the documentation into build/docs
	@$(PY) -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "The documentation is in build/docs/index.html"

clean: ## remove results and caches, keep .venv
	rm -rf build .hypothesis .ruff_cache .mypy_cache .pytest_cache
	find cli formal fpga hw sim spec sw tests tools docs examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## remove everything that is not in the repository's history: also .venv
	rm -rf .venv dist
