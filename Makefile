# Every target sets up what it needs by itself: with Python 3.11 or newer and make on the machine, nothing else.
#   make test ARGS="-k journal"                     more arguments for pytest (also: demo, bench, conformance)
#   make simulate SEEDS=1000                        more seeds
#   make faults MINUTES=60 ARGS="--seed 7"          longer, other faults
#   make fuzz INPUTS=10000000 ARGS="--seed 7"       more inputs, other ones
#   make test WORKERS=                              in one process: for -s, --pdb (and the same as ARGS=-n0)
#   make test POSTGRES_URL=postgresql://…           use this server instead of starting one
#   make test PYTHON=/path/to/python3.12            make .venv with this Python

PYTHON ?=
ARGS ?=
SEEDS ?= 300
INPUTS ?= 1000000
MINUTES ?= 2
WORKERS := -n 3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet --no-input

export POSTGRES_URL
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test bench lint simulate mutants conformance faults fuzz audit clean FORCE

help: ## list the targets
	@echo 'make TARGET [ARGS="…"]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name what; do \
	  printf '%-14s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.extra-demo ## book concert seats on a cluster, kill a node, add one; nothing is lost or doubled
	@$(PY) -m aecorpy.demo $(ARGS)

test: $(VENV)/.extra-dev ## run all tests, in three processes, on PostgreSQL servers started for them
	@$(PY) -m pytest $(WORKERS) $(ARGS)

bench: $(VENV)/.extra-bench ## measure, against bounds; JSON in build/bench (ARGS=--quick: short)
	@$(PY) -m benchmarks $(ARGS)

lint: $(VENV)/.extra-dev $(VENV)/.extra-bench ## ruff check, ruff format --check, mypy --strict
	@failed=; \
	for check in 'ruff check .' 'ruff format --check .' 'mypy'; do \
	  echo "== $$check"; \
	  $(PY) -m $$check || failed="$$failed, $$check"; \
	done; \
	if [ -n "$$failed" ]; then echo "lint: FAILED: $${failed#, }" >&2; exit 1; fi; \
	echo 'lint: ok'

simulate: $(VENV)/.extra-dev ## clusters under faults on virtual time, SEEDS=300 of them
	@$(PY) -m tests.simulation --seeds $(SEEDS) --jobs 2 $(ARGS)

mutants: $(VENV)/.extra-dev ## deliberate faults, one at a time, each of which simulation has to find (ARGS=--write: into the docs)
	@$(PY) -m tests.mutants $(ARGS)

conformance: $(VENV)/.extra-dev ## run Thespian's own test suite on our actor engine
	@$(PY) -m tests.conformance.thespian $(ARGS)

faults: $(VENV)/.extra-dev ## kill, freeze, cut off, restart real processes and stores under load, for MINUTES=2
	@$(PY) -m tests.faults --minutes $(MINUTES) $(ARGS)

fuzz: $(VENV)/.extra-dev ## hostile bytes for all that reads what others wrote, INPUTS=1000000 of them
	@$(PY) -m tests.fuzz --inputs $(INPUTS) $(ARGS)

audit: $(VENV)/.extra-dev ## known vulnerabilities of what aecorpy needs to run; where no index answers, it says so
	@$(PIP) install --timeout 5 --retries 1 --no-build-isolation --use-pep517 --editable '.[audit]' >/dev/null 2>&1 || true
	@$(PY) -m tests.security.audit

clean: ## delete .venv and everything built or cached
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras, so that each target installs only what it needs. Building without isolation comes first:
# it needs no network when everything is there already. Where it does not do, the second try says why.
$(VENV)/.extra-%: pyproject.toml $(VENV)/.made
	@echo "setting up $(VENV) for '$*' …"
	@$(PIP) install 'setuptools>=77'
	@$(PIP) install --no-build-isolation --use-pep517 --editable '.[$*]' >/dev/null 2>&1 || \
	  $(PIP) install --editable '.[$*]'
	@touch $@

# A .venv works only in the folder it was made in, and only while its Python is there: otherwise make it anew.
ifneq ($(wildcard $(VENV)/.made),)
ifneq ($(shell [ "$$(cat $(VENV)/.made)" = "$$PWD" ] && $(PY) -c 'print("works")' 2>/dev/null),works)
$(VENV)/.made: FORCE
endif
endif

$(VENV)/.made:
	@if [ -e $@ ]; then rm -rf $(VENV); fi
	@python=$$(sh -c "$$FIND_PYTHON") && "$$python" -m venv $(VENV)
	@echo "$$PWD" > $@

FORCE:

define FIND_PYTHON
seen=
for python in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
  command -v "$$python" >/dev/null 2>&1 || continue
  version=$$("$$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    seen="$$seen
  $$python is Python $$version: too old"
  elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
    seen="$$seen
  $$python is Python $$version, without the modules venv and ensurepip:
    on Debian and Ubuntu: apt-get install python$${version%.*}-venv"
  else
    echo "$$python"
    exit 0
  fi
done
echo "aecorpy needs Python 3.11 or newer, with venv.$${seen:-
  No Python found$${PYTHON:+ as $$PYTHON}.}
Install one, or name it: make PYTHON=/path/to/python3.11 …" >&2
exit 1
endef
export FIND_PYTHON PYTHON
