# The one runner. Every target makes the virtual environment where it is missing or out of date.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers
# Of `bench`: small or full; ONLY names one benchmark, or several.
PROFILE ?= small
ONLY ?=
# Of `fuzz`.
FUZZ ?= 20000
FUZZ_START ?= 0
# Of `soak`.
MINUTES ?= 10
# Commands that `kill` kills.
KILLS ?= 300
# Real corpora for benchmarks and optional tests, where there are any.
SIMREC_CORPORA ?= $(wildcard $(CURDIR)/../shared/data)
export SIMREC_CORPORA
export HF_HUB_OFFLINE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

GATED := --articles data/newsroom/articles.jsonl --picks data/newsroom/picks.csv --split group \
	--gate tests/quality/floors.toml
GATED_MODELS := tfidf sentence hybrid learned

.PHONY: demo test slow fuzz kill check audit gate floors bench quality load soak prior docs serve clean
.DELETE_ON_ERROR:

# Compiled on all cores, as pip does not; a package may have files for newer Pythons, which fail.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("simrec needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@

$(PEERS): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,bench]"
	touch $@

demo: $(READY)  ## the whole job on the sample newsroom, in out/demo
	$(BIN)/simrec demo --out out/demo

test: $(READY)  ## all tests but the slowest
	$(BIN)/python -m pytest -m "not gate and not slow"

slow: $(READY)  ## the slowest tests: nodes and drivers killed, the service under load, slow clients
	$(BIN)/python -m pytest -m slow

fuzz: $(READY)  ## every reader with 20,000 damaged files; FUZZ says how many, FUZZ_START from which number on
	SIMREC_FUZZ=$(FUZZ) SIMREC_FUZZ_START=$(FUZZ_START) $(BIN)/python -m pytest tests/fuzz --durations=0

kill: $(READY)  ## kills commands at random moments, KILLS times
	mkdir -p out
	SIMREC_KILLS=$(KILLS) SIMREC_KILL_REPORT=out/kill.jsonl $(BIN)/python -m pytest tests/kill -m kill
	cat out/kill.jsonl

check: $(READY)  ## format, lint, types, what is known to be unsafe in code and in dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive src
	$(BIN)/python .ci/audit.py

gate: $(READY)  ## quality on the sample newsroom must not fall below tests/quality/floors.toml
	$(BIN)/simrec evaluate $(GATED)
	$(BIN)/python -m pytest tests/quality -m gate -rs

floors: $(READY)  ## raises tests/quality/floors.toml to today's figures; LOWER=--lower-floors lets them fall, too
	$(BIN)/simrec evaluate $(GATED) $(GATED_MODELS:%=--model %) --raise-floors newsroom $(LOWER)

bench: $(PEERS)  ## speed and quality beside peers and limits; on SIMREC_CORPORA, where it is there
	$(BIN)/python benchmarks/run.py --profile $(PROFILE) $(ONLY:%=--only %)

quality: $(READY)  ## all models' quality on SIMREC_CORPORA, or on the sample newsroom
	$(BIN)/python benchmarks/quality.py

load: $(READY)  ## requests a second of the service beside a bare route, and how soon while the site changes; needs wrk
	$(BIN)/python benchmarks/load.py

soak: $(READY)  ## mixed requests to the service for MINUTES, and whether memory grows
	$(BIN)/python benchmarks/load.py --soak $(MINUTES)

prior: $(READY)  ## trains models/prior again, on SIMREC_CORPORA
	$(BIN)/python benchmarks/make_prior.py

docs: $(READY)  ## writes the generated pages of docs/reference
	$(BIN)/python docs/generate.py

serve: $(READY)  ## the demo with the editors' desk, on this machine alone
	$(BIN)/simrec demo --serve --out out/demo

clean:
	rm -rf $(VENV) out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
