# Everything runs from .venv, which `make setup` builds from requirements.lock: Python 3.11 or newer and make are enough.

PYTHON ?= $(firstword $(foreach python,python3.13 python3.12 python3.11 python3 python,$(shell $(python) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
# The template is no member: it is built and tried apart, as a stranger's plugin is.
MEMBERS := core $(sort $(patsubst %/pyproject.toml,%,$(filter-out contrib/plugin-template/%,$(wildcard plugins/*/pyproject.toml contrib/*/pyproject.toml))))
BIN := .venv/bin
STAMP := .venv/.ready

.PHONY: setup demo test lint wheels bench bench-docs matrix soak fuzz lock clean

setup: $(STAMP)  ## build .venv (again only when something changed)

$(STAMP): requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "hallway needs Python 3.11 or newer with the venv module; none was found. Try: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version); this takes about a minute the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

demo: setup  ## several devices on this machine find each other and talk
	@$(BIN)/hallway demo

test: setup lint  ## everything that a change must pass: two halves of the lab beside all that uses this machine's own network
	$(BIN)/pytest -n 3 --dist loadgroup -m 'not alone'
	$(BIN)/pytest -m alone
	@$(MAKE) --no-print-directory wheels

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

wheels: setup  ## build every wheel into dist/, and try them in an environment that knows nothing of this folder
	$(BIN)/python tests/wheels/smoke.py $(MEMBERS)

bench: setup  ## speed beside bare aiortc, into bench/
	$(BIN)/python -m tests.bench

bench-docs: setup  ## take the numbers of the last `make bench` into the documentation, with their picture
	$(BIN)/python -m tests.bench.docs_report

matrix: setup  ## every combination of plugins, on every Python that this machine has
	$(BIN)/python tests/matrix/run.py

soak: setup  ## outages of a minute each, every fault at full length, then SOAK_MINUTES (20) of faults at random; SOAK_SEED repeats them
	SOAK_SECONDS=60 $(BIN)/pytest -s --timeout=600 tests/e2e/test_cloud_scenarios.py -k ten_links
	SOAK=1 $(BIN)/pytest -s core/tests/protocol/test_protocol_delivery.py
	SOAK=1 $(BIN)/pytest -s tests/e2e/test_faults_*.py tests/e2e/test_glare.py tests/e2e/test_thirty_devices.py tests/e2e/test_restarting_neighbour.py tests/e2e/test_durable_*.py tests/e2e/test_hostile_delivery.py tests/e2e/test_flood.py
	$(BIN)/python -m tests.soak

fuzz: setup  ## the parsers, for much longer than in `make test`; then guided by coverage, ATHERIS_RUNS (100000) inputs and ATHERIS_SECONDS (60) at least for each
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest --timeout=3600 -m fuzz
	$(BIN)/python -m tests.fuzz

lock: setup  ## renew requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock" \
		$(foreach member,$(MEMBERS),--no-emit-package $(shell sed -n 's/^name = "\(.*\)"/\1/p' $(member)/pyproject.toml | head -1)) \
		$(MEMBERS:%=%/pyproject.toml) --group dev -o requirements.lock

clean:
	rm -rf .venv .fuzz .matrix dist bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
