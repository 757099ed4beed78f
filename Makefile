# make run          start everything with a simulated fleet; the console is at http://127.0.0.1:8000
# make test         everything that must hold: style, types, import contract, all tests
# make schema       after a new migration: store/schema.sql and the data dictionary anew
# make reference    after a new route or right: docs/reference/openapi.json and the table of roles anew
# make bench        the benchmarks, each prints its figures as JSON
# make screenshots  pictures of every page in var/screenshots, and those of the README in docs/images
# make clean        remove data, virtual environment and caches
.PHONY: run test install schema reference screenshots bench clean
.DEFAULT_GOAL := run

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Without compiled modules every start of a program compiles hundreds of them anew; some container images ask for that.
unexport PYTHONDONTWRITEBYTECODE

run: $(INSTALLED)
	@exec $(BIN)/forewarn demo

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@sh deploy/make-venv.sh $(VENV)
	@echo "Installing Forewarn and its pinned dependencies (a minute or two the first time) ..."
	@$(PIP) install --no-input -c constraints.txt -e .
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt
	@sh deploy/make-venv.sh $(VENV)
	@echo "Installing Forewarn, its pinned dependencies and the tools of its tests ..."
	@$(PIP) install --no-input -c constraints.txt -e '.[dev]'
	@touch $(INSTALLED) $@

test: $(INSTALLED_DEV)
	@sh deploy/name-missing-services.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Types are checked beside the rest, as one core would have nothing to do meanwhile. The tests are compiled once, and
	@# what Hypothesis knows of characters is made once, before four processes want it at the same time.
	@echo "$(BIN)/mypy"; $(BIN)/mypy & types=$$!; \
	{ $(BIN)/pytest --collect-only -q; $(BIN)/python -c "from hypothesis.strategies import text; text().validate()"; } \
		>/dev/null 2>&1; \
	$(BIN)/lint-imports && $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder; tested=$$?; \
	wait $$types && exit $$tested

schema: $(INSTALLED_DEV)
	$(BIN)/python -m tests.integration.store.schema_snapshot
	$(BIN)/python -m tests.integration.store.data_dictionary

reference: $(INSTALLED_DEV)
	$(BIN)/forewarn openapi --output docs/reference/openapi.json
	$(BIN)/python -m tests.unit.api.roles_page

bench: $(INSTALLED_DEV)
	@set -e; for file in benchmarks/*.py; do \
		name=$$(basename "$$file" .py); \
		grep -q '__main__' "$$file" || continue; \
		echo "== benchmarks.$$name"; $(BIN)/python -m "benchmarks.$$name" --json; \
	done

screenshots: $(INSTALLED_DEV)
	$(BIN)/python -m tests.e2e.screenshots

clean:
	@sh deploy/clean.sh
