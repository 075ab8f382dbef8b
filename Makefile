# Everything happens in two places: .venv holds the locked tox, .tox what tox sets up.
PYTHON ?= python3
ARGS ?=

python := .venv/bin/python
ready := .venv/ready
tox := $(python) -m tox run -e

.DEFAULT_GOAL := help
.PHONY: help parity prove test bench proto lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\): .*## /  make \1\t/p' Makefile | expand -t 16
	@echo '  ARGS="…" goes on to the command: make parity ARGS="single-run --seed 7"'

parity: $(ready) ## set up, then run the whole catalogue on embedded lanes and print the verdict
	@$(tox) parity -- $(ARGS)

prove: $(ready) ## set up, then plant every known fault on the newest run and show that each is found
	@$(tox) prove -- $(ARGS)

test: $(ready) ## set up, then run all lints and all tests
	@$(tox) test -- $(ARGS)

bench: $(ready) ## set up, then run the benchmarks
	@$(tox) bench -- $(ARGS)

proto: $(ready) ## lint the proto contracts, hold them against their baseline, compile them again
	@$(tox) proto

lock: $(ready) ## resolve requirements/*.txt again from pyproject.toml
	@$(tox) lock

clean: ## remove environments and caches; runs in reports/runs stay
	rm -rf .venv .tox .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# A stamp newer than the lock means that .venv holds what the lock says.
$(ready): requirements/tox.txt
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) here: install Python 3.11 or newer, or say which one to use, as in: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or newer is needed, named as in: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install the package python3-venv (apt-get install python3-venv), then run make again" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(python) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tox.txt
	@touch $@
