# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test clients refusals test-lowest check bench docs format clean
help:
	@echo "make demo [KEEP=1]  run the main job end to end; KEEP=1 leaves the server running"
	@echo "make test           run every test, with the coverage gate"
	@echo "make test-lowest    run every test with the oldest versions that pyproject.toml allows"
	@echo "make clients        run every client with every host, which takes half an hour"
	@echo "make refusals       write docs/refusals.md anew: what each client prints of each refusal"
	@echo "make check          lint, types, import contracts"
	@echo "make bench          measure against the bare servers; BENCH='pages files' only these parts,"
	@echo "                    BENCH_SECONDS=1 a trial run of all in some minutes"
	@echo "make docs           build the documentation into site/"

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $@

demo: $(STAMP)
	$(BIN)/entitlements demo $(if $(KEEP),--keep)

test: $(STAMP)
	$(BIN)/python tests/run.py

# Of what is named in pyproject.toml the oldest, of everything below it the newest.
LOWEST := .venv-lowest
$(LOWEST)/.installed: pyproject.toml $(STAMP)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	VIRTUAL_ENV=$(LOWEST) $(BIN)/uv pip install --quiet --resolution lowest-direct --editable '.[all]' --group dev
	VIRTUAL_ENV=$(LOWEST) $(BIN)/uv pip install --quiet pip
	@touch $@

clients: $(STAMP)
	$(BIN)/python tests/run.py -m clients -n 2 --dist loadfile $(TESTS)

test-lowest: $(LOWEST)/.installed
	$(BIN)/uv pip freeze --quiet --python $(LOWEST)
	$(LOWEST)/bin/python tests/run.py $(TESTS)

refusals: $(STAMP)
	REFUSALS=write $(BIN)/python tests/run.py -m clients tests/functional/test_refusals.py

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run $(BENCH)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(LOWEST) site .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
