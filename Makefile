# The doors of the project; each makes what it needs.
# The newest Python that is there and works, unless PYTHON names one.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
DEMO_DATES := --start-date 2017-03-01 --end-date 2017-05-31

.PHONY: help demo test test-all test-pythons test-dbt-versions test-adapter-suite chaos lint format bench prove-chunks clean another-python

help:
	@echo "make demo          land a real quarter, backfill it, show the totals"
	@echo "make test          run the tests (four minutes)"
	@echo "make test-all      run what make test leaves out, and every property over more examples"
	@echo "make test-pythons  types, unit tests and the demo on every Python that is here"
	@echo "make test-dbt-versions  the engines and the demo with dbt-core 1.10 and 1.12 (a quarter of an hour)"
	@echo "make test-adapter-suite  dbt's and dbt-duckdb's own tests, the same with and without our package"
	@echo "make chaos         kill, race and starve the runner some hundred times (half an hour)"
	@echo "make lint          ruff, mypy, import-linter, runner lint, sqlfluff"
	@echo "make format        let ruff and sqlfluff mend what they can"
	@echo "make prove-chunks  backfill the quarter in chunks of 1, 7 and all, and compare"
	@echo "make bench         time what should be fast, beside others that do the same"
	@echo "make clean         remove the environments and what dbt compiled; data/ and .daybreak/ stay"

# One environment for all; brought up to date when what it holds is declared anew, and made again
# when PYTHON names another than it has.
$(VENV)/.ready: pyproject.toml constraints.txt
	@scripts/make_environment.sh $(VENV) $(PYTHON)
	@touch $@

ifneq ($(PYTHON),)
identity := -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
ifneq ($(shell $(PYTHON) $(identity)),$(shell $(BIN)/python $(identity)))
$(VENV)/.ready: another-python
endif
endif

demo: $(VENV)/.ready
	$(BIN)/python scripts/land_demo_data.py --start 2017-03-01 --end 2017-05-31
	$(BIN)/runner backfill orders_pipeline $(DEMO_DATES) --reprocess all
	$(BIN)/python scripts/show_demo_totals.py

test: $(VENV)/.ready
	scripts/ensure_postgres.sh
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-all: $(VENV)/.ready
	scripts/ensure_postgres.sh
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m '(slow or hypothesis) and not chaos' \
		--hypothesis-profile=thorough

# Each Python in an environment of its own, .venvs/<version>.
test-pythons:
	scripts/ensure_postgres.sh
	scripts/test_pythons.sh

# Each version gets an environment of its own.
test-dbt-versions: $(VENV)/.ready
	$(BIN)/python scripts/test_dbt_versions.py

# dbt's tests and dbt-duckdb's get an environment of their own.
# Some of them: make test-adapter-suite ONLY="basic hooks duckdb/adapter/test_incremental.py"
test-adapter-suite: $(VENV)/.ready
	$(BIN)/python scripts/test_adapter_suite.py $(ONLY)

# CHAOS_SEED=17 CHAOS_SERIES=1 repeats the random series with that seed.
chaos: $(VENV)/.ready
	$(BIN)/pytest tests/faults -m chaos --numprocesses 2 --dist worksteal

# runner lint keeps the parse from which its rules know in sqlfluff what folders declare.
lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/runner lint
	DAYBREAK_WAREHOUSE=:memory: $(BIN)/sqlfluff lint models snapshots tests/sql
	$(BIN)/sqlfluff lint macros --templater jinja

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	DAYBREAK_WAREHOUSE=:memory: $(BIN)/sqlfluff fix models snapshots tests/sql
	$(BIN)/sqlfluff fix macros --templater jinja

prove-chunks: $(VENV)/.ready
	$(BIN)/python scripts/prove_chunks.py

# The peers get environments of their own. Some scenarios: make bench ONLY="S1 S4" REPEATS=3
bench: $(VENV)/.ready
	$(BIN)/python bench/run.py $(ONLY) --repeats $(or $(REPEATS),5)

clean:
	rm -rf $(VENV) .venvs bench/.venvs target logs
