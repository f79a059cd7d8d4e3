# Needs Python >= 3.10 and make, nothing else. Every target sets itself up.
PYTHON ?= python3
VENV ?= .venv
RECIPE ?= embedded
OUT ?= manifests/$(RECIPE)
N ?= 0
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CATALOGUE_FLAG = $(if $(CATALOGUE),--catalogue $(CATALOGUE))
HOST_FLAGS = $(foreach host,$(ALLOW_HOST),--allow-host $(host))

.DEFAULT_GOAL := help
.PHONY: help setup build-shard submit-shard train submit-train evaluate search-terms validate report test test-slow soak stage-versions docs lint bench train-embedded clean

help:
	@echo "make build-shard N=0 [RECIPE=embedded] [OUT=manifests/embedded] [CATALOGUE=clips.csv] [ALLOW_HOST=127.0.0.1]"
	@echo "make submit-shard N=0 RAY_ADDRESS=http://host:8265"
	@echo "make train [OUT=manifests/embedded] | submit-train RAY_ADDRESS=http://host:8265 [PROCESSES=2] | evaluate TASK=... DATA=..."
	@echo "make search-terms | validate | report | test | test-slow | soak | stage-versions | docs | lint | bench | setup | clean"

# A finished environment is reused: only a change of these three files makes it anew. Packages are compiled once here: with
# PYTHONDONTWRITEBYTECODE, or where workers cannot write beside them, every process would compile them again.
$(READY): pyproject.toml constraints.txt requirements-embedded.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "vidal needs Python >= 3.10: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[embedded,dev]' -c constraints.txt
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps -r requirements-embedded.txt
	touch $@

setup: $(READY)

build-shard: $(READY)
	$(BIN)/vidal build-shard $(N) --recipe $(RECIPE) --out $(OUT) $(CATALOGUE_FLAG) $(HOST_FLAGS) $(ARGS)

# The code and the recipes travel; data, tests and history stay.
JOB_ENV = {"working_dir": "$(CURDIR)", "excludes": [".git", ".venv", "tests", "manifests", "search_terms/db"]}

# The Python that vidal is installed in on the cluster; a head on this machine has ours.
JOB_PYTHON ?= $(if $(findstring ://127.,$(RAY_ADDRESS))$(findstring ://localhost,$(RAY_ADDRESS)),$(abspath $(BIN))/python,python)

# A head that finds a token asks for it; the client does not send it unless it is told to.
RAY_AUTH = $(if $(RAY_AUTH_MODE),,$(if $(wildcard $(HOME)/.ray/auth_token),RAY_AUTH_MODE=token))

# OUT must be reachable from its nodes.
submit-shard: $(READY)
	@test -n "$(RAY_ADDRESS)" || { echo "submit-shard: say where the cluster is: RAY_ADDRESS=http://host:8265" >&2; exit 2; }
	$(RAY_AUTH) $(BIN)/ray job submit --address $(RAY_ADDRESS) --runtime-env-json '$(JOB_ENV)' -- \
	  $(JOB_PYTHON) pipelines/build_shard.py $(N) --recipe $(RECIPE) --out $(if $(findstring ://,$(OUT)),$(OUT),$(abspath $(OUT))) \
	  $(if $(CATALOGUE),--catalogue $(abspath $(CATALOGUE))) $(HOST_FLAGS) $(ARGS)

# Needs a built OUT. RUN: where checkpoints, metrics and the encoder go.
RUN ?= $(OUT)/_train/$(RECIPE)
train: $(READY)
	$(BIN)/vidal train --recipe $(RECIPE) --data $(OUT) --out $(RUN) $(ARGS)

PROCESSES ?= 2
submit-train: $(READY)
	@test -n "$(RAY_ADDRESS)" || { echo "submit-train: say where the cluster is: RAY_ADDRESS=http://host:8265" >&2; exit 2; }
	$(RAY_AUTH) $(BIN)/ray job submit --address $(RAY_ADDRESS) --runtime-env-json '$(JOB_ENV)' -- \
	  $(JOB_PYTHON) pipelines/train.py --recipe $(RECIPE) --data $(if $(findstring ://,$(OUT)),$(OUT),$(abspath $(OUT))) \
	  --out $(if $(findstring ://,$(RUN)),$(RUN),$(abspath $(RUN))) --set train.processes=$(PROCESSES) $(ARGS)

evaluate: $(READY)
	$(BIN)/vidal evaluate $(if $(TASK),--task $(TASK) --data $(DATA),--table) --checkpoint $(or $(CHECKPOINT),$(RUN)/encoder) $(ARGS)

search-terms: $(READY)
	$(BIN)/vidal search-terms build --recipe $(RECIPE) --out search_terms/db
	$(BIN)/vidal search-terms show --db search_terms/db

validate: $(READY)
	$(BIN)/vidal validate $(OUT)

report: $(READY)
	$(BIN)/vidal report $(OUT)

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadgroup --no-loadscope-reorder $(ARGS)

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 3 --dist loadgroup --no-loadscope-reorder --timeout 3000 --durations 15 $(ARGS)

# Hours: what fails seldom. Shorter: SOAK_BUILDS=2 SOAK_VALIDATIONS=4 SOAK_RERUNS=1 SOAK_KILLS=3 make soak
soak: $(READY)
	$(BIN)/python -m pytest tests/dataset/soak.py -s -x $(ARGS)

# Locks the code of stages and adapters beside their versions; refuses where the embedded shard has changed and no version has.
stage-versions: $(READY)
	$(BIN)/python -m tests.pipeline.stage_versions $(ARGS)

# The pages that are made of settings and schemas.
docs: $(READY)
	$(BIN)/python -m docs.generate

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# Half an hour on two cores. DATA holds rgbd/, rgb_ir/ and images/; then put the revisions it prints into pipelines/embedded.yaml.
DATA ?= ../shared/data
train-embedded: $(READY)
	$(BIN)/python -m vidal.estimators train --data $(DATA)
	$(BIN)/python -m vidal.estimators evaluate --data $(DATA)
	$(BIN)/python -m vidal.estimators sheet

bench: $(READY)
	$(BIN)/python -m benchmarks.pipeline $(ARGS)
	$(BIN)/python -m benchmarks.crawl
	$(BIN)/python -m benchmarks.captions
	$(BIN)/python -m benchmarks.train
	$(BIN)/python -m benchmarks.train_gpu

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
