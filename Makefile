# Everything sets itself up: .venv (this project), .venv-ministack (the emulator, which pins its own botocore) and
# node_modules (the CDK CLI). Nothing is installed outside this folder.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The CDK works on these, though it no longer promises to.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20
export PYTHONPATH := lambdas

RUN := .venv/bin/.run-stamp
DEV := .venv/bin/.dev-stamp
EMULATOR := .venv-ministack/bin/.stamp
CLI := node_modules/.package-lock.json

.PHONY: demo local test check format bench deploy clean

demo: $(CLI) $(RUN) $(EMULATOR) ## deploy to an emulator on this machine, and watch three crawls
	@.venv/bin/python -m local.demo

local: $(CLI) $(RUN) $(EMULATOR) ## the same, and keep it running until Ctrl-C
	@.venv/bin/python -m local.demo --keep

test: $(CLI) $(DEV) $(EMULATOR) ## all tests
	@# pytest, hypothesis, and jsii when it is interrupted, would leave files. The trap has the shell outlive Ctrl-C, to remove them.
	@folder=$$(mktemp -d) && trap : INT TERM && \
	  { TMPDIR="$$folder" HYPOTHESIS_STORAGE_DIRECTORY="$$folder/hypothesis" \
	    .venv/bin/python -m pytest -n 2 --dist loadfile; code=$$?; rm -rf "$$folder"; exit $$code; }

check: $(CLI) $(DEV) ## formatter, linter, types, synth, template
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/python -m local.check_template

format: $(DEV) ## let the formatter and the linter mend what they can
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

bench: $(DEV) ## memory and time of a plan of 100,000 targets
	@.venv/bin/python bench/plan.py

deploy: $(CLI) $(RUN) ## deploy to the AWS account of your credentials; CONTEXT='-c retain_data=false' for settings
	PATH="$(CURDIR)/.venv/bin:$$PATH" node_modules/.bin/cdk deploy $(CONTEXT)

clean: ## remove all that the other targets made
	rm -rf .venv .venv-ministack node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis

need_python = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pageturner needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another with make PYTHON=…")'

$(RUN): requirements.txt lambdas/requirements.txt
	$(need_python)
	@echo "Setting up .venv …"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --requirement requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	@echo "Installing what the tests need …"
	@.venv/bin/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

$(EMULATOR): local/requirements.txt
	$(need_python)
	@echo "Setting up .venv-ministack …"
	@$(PYTHON) -m venv .venv-ministack
	@.venv-ministack/bin/python -m pip install --quiet --requirement local/requirements.txt
	@touch $@

$(CLI): package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Pageturner needs Node.js with npm, for the AWS CDK CLI"; exit 1; }
	@echo "Installing the CDK CLI …"
	@npm ci --silent --no-audit --no-fund
	@touch $@
