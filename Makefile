# `make` lists the targets. Everything runs in .venv, which the first target that needs it creates.

.DEFAULT_GOAL := help

# Tried first when .venv is created, e.g. `make setup PYTHON=/usr/local/bin/python3.12`.
PYTHON ?=
# Added to the command of sweep, tutorial, test, ui, docs and bench, e.g. `make sweep ARGS="seeds=5 training.epochs=50"`.
ARGS ?=
# Where `make ui` listens, on 127.0.0.1 only, and `make server`.
PORT ?= 5000
# Where `make server` keeps database, artifacts and logs.
FOLDER ?=
# Resolves `make constraints`: the oldest supported Python, so that every version also exists for the newer ones.
OLDEST_PYTHON ?= python3.11

VENV := .venv
RUN := $(VENV)/bin/python
PEERS := .venv-peers
AUDIT := .venv-audit
STAMP := $(VENV)/.installed

# Exits 0 on a Python that can make the environment: 3.11 to 3.13, with the parts that Debian splits off.
USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
COMPLETE := import ensurepip, venv

# Installed first and used without build isolation, so that what builds this package, and Hydra's antlr4 which
# comes as source only, is pinned as well.
BUILDERS := setuptools wheel hatchling editables
PIP_INSTALL := -m pip install -qq --disable-pip-version-check

.PHONY: help
help: ## List the targets
	@echo "usage: make TARGET [ARGS=\"more arguments\"]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(STAMP) ## Create .venv and install everything pinned (every target below does this first, once)

.PHONY: sweep
sweep: $(STAMP) ## Train 3 look-backs with and without carried state on the airline data, and compare them
	@$(RUN) -m pipeline.run -m look_back=1,3,6 stateful=true,false $(ARGS)

.PHONY: tutorial
tutorial: $(STAMP) ## Train the airline tutorial's five variants, 32 seeds each, and place its published scores among ours
	@$(RUN) -m pipeline.tutorial $(ARGS)

# Compiled modules are kept, even where an environment says otherwise: every worker and command would compile them anew.
.PHONY: test
test: $(STAMP) ## Run the test suite (ARGS=--thorough: also what only CI adds)
	@PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest $(ARGS)

.PHONY: check
check: $(STAMP) $(AUDIT)/.installed ## Run the static checks: ruff (lint, format), mypy, import-linter, known vulnerabilities
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	@$(AUDIT)/bin/python .ci/audit.py || echo "these do not fail the static checks, but 'make audit', which CI runs"

.PHONY: ui
ui: $(STAMP) ## Open MLflow on what was logged (http://127.0.0.1:5000, or PORT=...)
	@store="$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}"; \
	case "$$store" in \
	http://*|https://*) echo "Runs are logged to a server: open $$store in a browser."; exit 0 ;; \
	esac; \
	echo "MLflow on $$store: open http://127.0.0.1:$(PORT) in about 10 seconds; Ctrl-C ends it."; \
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(VENV)/bin/mlflow ui --workers 1 \
	    --host 127.0.0.1 --port $(PORT) --backend-store-uri "$$store" $(ARGS)

# PostgreSQL from the system (Debian: apt-get install postgresql); what Python needs for it is installed here.
.PHONY: server
server: $(VENV)/.server ## Run PostgreSQL and an MLflow server with accounts for a team: make server FOLDER=/srv/lstm
	@test -n "$(FOLDER)" || { echo "make: name the folder of the data: make server FOLDER=/srv/lstm" >&2; exit 2; }
	@exec $(RUN) deploy/server.py "$(FOLDER)" --port $(PORT) $(ARGS)

.PHONY: docs
docs: $(VENV)/.docs ## Build the documentation into site/, with broken links as errors; nothing is loaded from the network
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict $(ARGS)

.PHONY: docs-outputs
docs-outputs: $(VENV)/.docs ## Run the commands that README and docs/ show and write what they print (minutes; ARGS=--check compares)
	@$(RUN) docs/outputs.py $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure the fused engine against the tutorial's loop, the engine fit and torch (minutes)
	@$(RUN) benchmarks/engine.py $(ARGS)

.PHONY: bench-overhead
bench-overhead: $(STAMP) ## Measure what surrounds the training: start-up, logging, memory
	@$(RUN) benchmarks/sweep.py $(ARGS)

.PHONY: bench-stream
bench-stream: $(STAMP) ## Measure rows per second of pipeline.stream, one lane and 400, on one core
	@$(RUN) benchmarks/stream.py $(ARGS)

.PHONY: bench-write
bench-write: $(STAMP) ## Measure characters per second of pipeline.write, 2 x LSTM(128), on one core
	@OPENBLAS_NUM_THREADS=1 $(RUN) benchmarks/write.py $(ARGS)

.PHONY: bench-text
bench-text: $(STAMP) ## Measure characters a second of the training of a text against keras fit and torch (minutes)
	@$(RUN) benchmarks/text.py $(ARGS)

.PHONY: bench-faults
bench-faults: $(STAMP) ## Kill sweeps and fill their disk at random moments, repeat them, and say what was lost (minutes)
	@$(RUN) benchmarks/faults.py $(ARGS)

# The peers need a pandas below 3, so they have an environment of their own; the two talk through files in peers/.
.PHONY: peers
peers: $(STAMP) $(PEERS)/.installed ## Measure pipeline.search against its peers on public series (hours; Ctrl-C, and make peers goes on)
	@$(RUN) -m benchmarks.peers --python $(PEERS)/bin/python $(ARGS)

.PHONY: peers-intervals
peers-intervals: $(STAMP) $(PEERS)/.installed ## Measure CRPS and coverage of intervals against the peers' on the same series (hours; resumable)
	@$(RUN) -m benchmarks.peers.intervals --python $(PEERS)/bin/python $(ARGS)

.PHONY: build
build: $(STAMP) ## Build the sdist, the wheel and their bill of materials into dist/
	@$(RUN) -m build $(ARGS)
	@$(MAKE) --no-print-directory sbom

.PHONY: sbom
sbom: $(AUDIT)/.installed ## List what the package needs, with versions and licences, in dist/*.cdx.json (CycloneDX)
	@$(AUDIT)/bin/python .ci/sbom.py $(abspath $(RUN))

.PHONY: audit
audit: $(AUDIT)/.installed ## Ask PyPI and OSV for known vulnerabilities of the pinned packages (REQUIRE_AUDIT=1: they must answer)
	@$(AUDIT)/bin/python .ci/audit.py

# The environment is made again from nothing, because an old one would keep its old versions.
.PHONY: constraints
constraints: ## Resolve the newest versions that pyproject.toml allows into constraints.txt (a minute or two)
	@$(OLDEST_PYTHON) -c '$(USABLE)' || { echo "OLDEST_PYTHON=$(OLDEST_PYTHON) does not run" >&2; exit 1; }
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; trap 'exit 130' INT TERM; \
	$(OLDEST_PYTHON) -m venv "$$folder/venv"; \
	echo "Resolving and installing the newest versions in $$folder ..."; \
	"$$folder/venv/bin/python" $(PIP_INSTALL) --upgrade $(BUILDERS); \
	"$$folder/venv/bin/python" $(PIP_INSTALL) --no-build-isolation -e '.[dev,docs,server]'; \
	sed -n '/^#/p' constraints.txt > "$$folder/constraints.txt"; \
	"$$folder/venv/bin/python" -m pip freeze --all --exclude-editable --exclude pip > "$$folder/frozen.txt"; \
	sed -n '/^nvidia-/p' constraints.txt | LC_ALL=C sort -f -o "$$folder/pins.txt" -- - "$$folder/frozen.txt"; \
	cat "$$folder/pins.txt" >> "$$folder/constraints.txt"; \
	cp "$$folder/constraints.txt" constraints.txt; \
	echo "constraints.txt is new: run make test ARGS=--thorough with every supported Python before you commit it."

.PHONY: clean
clean: ## Remove caches and build products; keeps .venv, mlflow.db and mlruns
	@rm -rf build dist site ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name ".venv*" -prune -o -name .git -prune -o -name mlruns -prune -o \
	    -type d -name __pycache__ -prune -exec rm -rf {} +

# The stamp goes away first and comes back last, so an interrupted or failed install is repeated.
$(STAMP): pyproject.toml constraints.txt
	@rm -f $@
	@if ! $(RUN) -c '$(USABLE)' 2>/dev/null || ! $(RUN) -m pip --version >/dev/null 2>&1; then \
	    incomplete=; chosen=; \
	    for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	        "$$candidate" -c '$(USABLE)' >/dev/null 2>&1 || continue; \
	        if "$$candidate" -c '$(COMPLETE)' >/dev/null 2>&1; then chosen=$$candidate; break; fi; \
	        incomplete="$$incomplete $$candidate"; \
	    done; \
	    if [ -z "$$chosen" ]; then \
	        if [ -n "$$incomplete" ]; then \
	            echo "make: these Pythons cannot create an environment, their venv module is missing:$$incomplete" >&2; \
	            echo "      install it (Debian, Ubuntu: apt install python3-venv) and run make again." >&2; \
	        else \
	            echo "make: no Python 3.11, 3.12 or 3.13 that runs was found on the PATH." >&2; \
	            echo "      install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	        fi; \
	        exit 1; \
	    fi; \
	    if [ -n "$(PYTHON)" ] && [ "$$chosen" != "$(PYTHON)" ]; then \
	        echo "PYTHON=$(PYTHON) is not a working Python 3.11 to 3.13; taking $$chosen."; \
	    fi; \
	    echo "Creating $(VENV) with $$("$$chosen" --version) ($$(command -v "$$chosen"))"; \
	    "$$chosen" -m venv --clear $(VENV) || { \
	        echo "make: $$chosen could not create $(VENV), see above." >&2; exit 1; }; \
	fi
	@echo "Installing the pinned packages into $(VENV): about 1 GB to download, two or three minutes ..."
	@{ $(RUN) $(PIP_INSTALL) -c constraints.txt $(BUILDERS) && \
	   $(RUN) $(PIP_INSTALL) -c constraints.txt --no-build-isolation -e '.[dev]'; \
	} || { echo "make: the installation failed, see above; run make again to repeat it." >&2; exit 1; }
	@touch $@
	@echo "Installed."

# What only the documentation needs: installed when it is first built.
$(VENV)/.docs: $(STAMP)
	@rm -f $@
	@$(RUN) $(PIP_INSTALL) -c constraints.txt --no-build-isolation -e '.[docs]'
	@touch $@

# What only a server for a team needs, and its tests.
$(VENV)/.server: $(STAMP)
	@rm -f $@
	@$(RUN) $(PIP_INSTALL) -c constraints.txt --no-build-isolation -e '.[server]'
	@touch $@

$(PEERS)/.installed: benchmarks/peers-requirements.txt | $(STAMP)
	@rm -f $@
	@echo "Installing the peers into $(PEERS): some GB with torch, a few minutes ..."
	@$(RUN) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

$(AUDIT)/.installed: .ci/audit-requirements.txt | $(STAMP)
	@$(RUN) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python $(PIP_INSTALL) -r $<
	@touch $@
