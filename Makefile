# Two commands are all a newcomer needs: `make demo` and `make test`. Each creates what it needs.
#
#   PYTHON=...             any CPython from 3.11 on, for example python3.13 or a path
#   PYTEST_ARGS=...        added to every test run, for example "-k leak -x"
#   BENCH_ARGS=...         options of the benchmarks, for example "--quick --only allocation"
#   ALLOCMETER_MATRIX=...  the versions of `make matrix` and `make c-warnings`
#   TESTED=...             what `make matrix` leaves out of them
#   PYTHON_3.12=...        where one version is, if it is neither under pyenv nor on the PATH
#
# The native library is built with ALLOCMETER_CFLAGS and ALLOCMETER_LDFLAGS added, if set; use
# `make -B build` when they changed. ALLOCMETER_WERROR=1 turns its warnings into errors.

SUPPORTED := 3.11 3.12 3.13
ALLOCMETER_MATRIX ?= $(SUPPORTED)

# pyenv puts a shim for every version on the PATH that fails unless the version is activated, so
# its real interpreters are looked for first and its shims are left out.
PYENV_VERSIONS := $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions
SEARCH_PATH := $(filter-out %/shims,$(subst :, ,$(PATH)))
find-python = $(or $(PYTHON_$(1)), \
    $(lastword $(sort $(wildcard $(PYENV_VERSIONS)/$(1).*[0-9]/bin/python$(1)))), \
    $(firstword $(wildcard $(addsuffix /python$(1),$(SEARCH_PATH)))))

PYTHON ?= $(or $(firstword $(foreach v,$(SUPPORTED),$(call find-python,$(v)))),python3)
INTERPRETER := $(strip $(or $(if $(filter python3.%,$(PYTHON)), \
    $(call find-python,$(PYTHON:python%=%))),$(PYTHON)))
# Not taken from the environment: a directory named here may be emptied.
VENV := .venv
EXTRAS := dev
BIN := $(VENV)/bin
# For pyright, which asks the `python` on the PATH where the installed packages are.
ON_PATH := PATH="$(abspath $(BIN)):$$PATH"
BUILT := $(VENV)/.built
BUILT_FROM := $(wildcard src/allocmeter/_native/*.[ch] src/allocmeter/_native/preload/*.[ch]) \
    setup.py pyproject.toml
# The venv is the build environment as well, which needs what pyproject.toml says of that.
BUILD_REQUIRES := $(shell sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DELETE_ON_ERROR:
.PHONY: help build demo test lint types coverage c-warnings cross sanitize stress upstream matrix bench dist clean distclean FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

build: $(BUILT) ## create .venv and build the library in it; again when C or metadata changed

demo: $(BUILT) ## run the demo: a server under load, its leaking and its peaky endpoint found
	$(BIN)/allocmeter demo

test: $(BUILT) ## run all tests on one interpreter
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(BUILT) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BUILT) ## check types, and that the public API is completely typed
	$(BIN)/mypy
	$(ON_PATH) pyright
	$(ON_PATH) pyright --ignoreexternal --verifytypes allocmeter

# The slow tests are about the core, and a trace function makes them slower still.
coverage: $(BUILT) ## measure line and branch coverage of the Python side
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow" $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=98

c-warnings: ## compile the C sources strictly, with every compiler and interpreter there is
	.ci/check-c $(foreach v,$(ALLOCMETER_MATRIX),$(call find-python,$(v)))

cross: $(BUILT) ## compile the C sources for other systems, and run the self-test on two
	.ci/cross-compile $(BIN)/python

sanitize: $(BUILT) ## run the native code under sanitizers and valgrind
	.ci/sanitize $(BIN)/python

STRESS_ARGS ?= --minutes 3
stress: $(BUILT) ## load the core with everything at once; STRESS_ARGS="--minutes 30 --seed N"
	$(BIN)/python tests/stress $(STRESS_ARGS)

upstream: ## run the tests of CPython, trio and anyio, with allocmeter and without
	$(INTERPRETER) tools/upstream $(foreach v,$(ALLOCMETER_MATRIX),$(call find-python,$(v))) $(UPSTREAM_ARGS)

MATRIX := $(addprefix matrix-,$(filter-out $(TESTED),$(ALLOCMETER_MATRIX)))
matrix: $(MATRIX) ## run all tests on every supported interpreter

.PHONY: $(MATRIX)
$(MATRIX): matrix-%:
	$(if $(call find-python,$*),,$(error No python$* under pyenv or on the PATH: install it, say \
	    where it is by PYTHON_$*=..., or name other versions by ALLOCMETER_MATRIX="3.x 3.y"))
	@$(MAKE) --no-print-directory test VENV=.venv-$* EXTRAS=test PYTHON=$(call find-python,$*)

# In a venv of its own: what is compared brings plugins for pytest, and its own versions of things.
bench: ## run the benchmarks, and renew docs/benchmarks.md; BENCH_ARGS="--quick" for a glance
	@$(MAKE) --no-print-directory bench-here VENV=.venv-bench EXTRAS=bench

.PHONY: bench-here
bench-here: $(BUILT)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

dist: $(BUILT) ## build the sdist, and from it the wheel, and check both
	rm -rf build dist
	$(BIN)/python -m build
	.ci/check-dist $(BIN)/python dist

clean: ## remove what was built, and every cache
	rm -rf build dist htmlcov src/*.egg-info src/allocmeter/_native/*.so .venv*/.built
	rm -rf .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environments too
	rm -rf .venv .venv-3.* .venv-bench

# Made anew when it belongs to another interpreter than was asked for, or to one that is gone.
IDENTITY := -c 'import sys; print(sys.base_prefix, sys.version); \
    sys.exit(None if sys.version_info >= (3, 11) else "allocmeter needs Python 3.11 or newer")'
$(VENV)/pyvenv.cfg: FORCE
	@wanted=$$($(INTERPRETER) $(IDENTITY)) && \
	if [ "$$($(BIN)/python $(IDENTITY) 2>/dev/null)" != "$$wanted" ]; then \
	    echo "Creating $(VENV) with $(INTERPRETER)" && \
	    $(INTERPRETER) -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) $(VENV); \
	fi

# Without isolation: a changed C file is rebuilt in seconds and without a network.
$(BUILT): $(VENV)/pyvenv.cfg $(BUILT_FROM)
	@echo "Building allocmeter in $(VENV)"
	@$(PIP) '$(BUILD_REQUIRES)'
	@$(PIP) --no-build-isolation --check-build-dependencies --editable '.[$(EXTRAS)]'
	@touch $@
