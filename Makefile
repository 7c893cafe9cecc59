# Needs Python 3.11 or newer and make. `make demo` and `make test` are the two to know.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_PROCESSES ?= 2
EXIT ?=
FAULTS ?= tests/faults
DEMO_HOME ?=
ROWS ?=
QUICK ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCK := uv pip compile --generate-hashes --no-emit-index-url --python-version 3.11
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help install saml dev demo test test-faults test-faults-long test-attacks system-packages check secrets audit bench ui screenshots lock clean

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

install: $(VENV)/.installed  ## .venv with .venv/bin/landform, from pinned and hashed requirements

saml: $(VENV)/.installed  ## add what signing in by SAML needs (docs/sign-in.md)
	@$(PIP) install --quiet --require-hashes -r requirements/saml.txt

dev: $(VENV)/.installed-dev  ## the same, and what tests and checks need

# SUPERVISOR_PID: the demo ends when make does, even by kill -9.
demo: $(VENV)/.installed  ## a platform, and a real plan and apply through it; EXIT=1 stops it after
	@exec env SUPERVISOR_PID=$$PPID $(BIN)/landform demo $(if $(EXIT),--exit) \
	  $(if $(DEMO_HOME),--home "$(DEMO_HOME)")

test: $(VENV)/.installed-dev system-packages  ## the whole suite, but for what dies on purpose
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m "not faults and not attacks"

test-faults: $(VENV)/.installed-dev system-packages  ## kill -9, lost connections, full disks: minutes
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --maxschedchunk 1 -m "faults and not long" $(FAULTS)

test-faults-long: $(VENV)/.installed-dev system-packages  ## 500 runs while a worker stands still
	@$(BIN)/python -m pytest -n0 -m "faults and long" $(FAULTS)

test-attacks: $(VENV)/.installed-dev system-packages  ## hostile plans, logs, archives, names: minutes
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m attacks tests/attacks

check: $(VENV)/.installed-dev  ## format, lint, types, import contracts, secrets, dependencies
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory secrets audit

# Of files that did not change since they were found clean, nothing new can be said.
secrets: $(VENV)/.installed-dev  ## look for secrets in what git keeps
	@touch $(VENV)/.scanning
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  for file in $$(git ls-files); do \
	    if [ -f "$$file" ] && { [ ! -e $(VENV)/.scanned ] || [ "$$file" -nt $(VENV)/.scanned ]; }; \
	    then echo "$$file"; fi; \
	  done | xargs -r -P $(TEST_PROCESSES) -n 300 \
	    $(BIN)/detect-secrets-hook --baseline .secrets.baseline; \
	else echo "There is no git: secrets were NOT looked for."; fi
	@mv $(VENV)/.scanning $(VENV)/.scanned

audit: $(VENV)/.installed-dev  ## ask for known vulnerabilities of pinned dependencies, once a day
	@if [ -z "$$(find $(VENV)/.audited -mtime -1 -newer requirements/dev.txt 2>/dev/null)" ]; then \
	  $(BIN)/python requirements/audit.py && touch $(VENV)/.audited; fi

bench: $(VENV)/.installed-dev system-packages  ## measure against the bare engine; ROWS=1,3 QUICK=1
	@$(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS)) $(if $(QUICK),--quick)

ui:  ## build the CSS and JavaScript of the pages; needs npm
	@cd assets && npm ci --no-audit --no-fund --silent && node build.mjs

screenshots: $(VENV)/.installed-dev system-packages  ## pictures of the pages, into docs/images
	@LANDFORM_SCREENSHOTS=1 $(BIN)/python -m pytest -n0 tests/browser/test_screenshots.py

lock:  ## pin what requirements/*.in ask for; needs uv
	$(LOCK) requirements/runtime.in -o requirements/runtime.txt
	$(LOCK) requirements/saml.in -o requirements/saml.txt
	$(LOCK) requirements/dev.in -o requirements/dev.txt

clean:  ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Landform needs Python 3.11 or newer; $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing)." \
	    "If there is another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory venv-package
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.requirements: requirements/runtime.txt | $(VENV)/.made
	@echo "Installing what Landform needs into $(VENV) ..."
	@$(PIP) install --quiet --require-hashes -r requirements/runtime.txt
	@touch $@

$(VENV)/.requirements-dev: requirements/dev.txt $(VENV)/.requirements
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.requirements
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed $(VENV)/.requirements-dev
	@touch $@

# Debian ships Python without venv.
.PHONY: venv-package
venv-package:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing python3-venv ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    "python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" >/dev/null; \
	else \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
	  exit 1; \
	fi

# The suite drives git, sshd, and terraform inside bubblewrap (Linux only).
system-packages:
	@command -v terraform >/dev/null || { \
	  echo "The tests drive the real terraform: put version 1.11.4 of it on your PATH. It is at" \
	    "https://releases.hashicorp.com/terraform/1.11.4/, one program in a zip file." >&2; exit 1; }
	@missing=""; \
	command -v git >/dev/null || missing="git"; \
	PATH="$$PATH:/usr/sbin" command -v sshd >/dev/null || missing="$$missing openssh-server"; \
	if [ "$$(uname)" = Linux ]; then command -v bwrap >/dev/null || missing="$$missing bubblewrap"; fi; \
	if [ "$$(uname)" = Linux ]; then PATH="$$PATH:/usr/sbin" command -v slirp4netns >/dev/null || missing="$$missing slirp4netns"; fi; \
	if [ "$$(uname)" = Linux ]; then PATH="$$PATH:/usr/sbin:/sbin" command -v ip >/dev/null || missing="$$missing iproute2"; fi; \
	if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then missing="$$missing chromium"; \
	else echo "There is no chromium: the tests in a browser will be SKIPPED." >&2; fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing $$missing ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	else \
	  echo "The tests need: $$missing. Install with your package manager, for example:" \
	    "sudo apt-get install $$missing" >&2; exit 1; \
	fi
