# Everything sets itself up in this folder: .venv (the project), .venv-ministack (the emulator, which pins its own
# botocore) and node_modules (the CDK CLI). `make clean` removes them. pip, npm, jsii and the CDK keep their usual
# caches in your home folder.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The CDK works on these, though it no longer promises to.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20
export PYTHONPATH := lambdas

RUN := .venv/bin/.run-stamp
DEV := .venv/bin/.dev-stamp
EMULATOR := .venv-ministack/bin/.stamp
CLI := node_modules/.package-lock.json
STEP = @$(PYTHON) -m local.step
# Nothing is installed that has another hash than the requirements say, and no code of a package runs at installation.
INSTALL := -m pip install --require-hashes --only-binary :all:

.PHONY: help demo local test browser check format requirements sbom reference pictures read-operations bench bench-finish bench-publish bootstrap deploy reader reader-template destroy synth app clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(CLI) $(RUN) $(EMULATOR) ## deploy to an emulator on this machine, and watch crawls
	@.venv/bin/python -m local.demo

local: $(CLI) $(RUN) $(EMULATOR) ## the same, and keep it running until Ctrl-C
	@.venv/bin/python -m local.demo --keep

test: $(CLI) $(DEV) $(EMULATOR) browser ## run all tests
	@# The end-to-end tests, the slowest, are among the first, so that no worker waits for them alone at the end. They leave a
	@# core idle for half of their time: three workers keep two cores busy.
	@# pytest, hypothesis, and jsii when it is interrupted, would leave files. The trap has the shell outlive Ctrl-C, to remove them.
	@folder=$$(mktemp -d) && trap : INT TERM && \
	  { TMPDIR="$$folder" HYPOTHESIS_STORAGE_DIRECTORY="$$folder/hypothesis" \
	    .venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder; code=$$?; rm -rf "$$folder"; exit $$code; }

# Debian's Chromium, where there is no browser.
browser: $(DEV) ## install a browser for the tests, where there is none
	@.venv/bin/python -m local.browser

check: $(CLI) $(DEV) ## formatter, linter, types, layers, synth, template, licences, audit
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/python -m local.check_template
	.venv/bin/python -m local.check_security
	.venv/bin/python -m local.licences
	.venv/bin/python -m local.audit

format: $(DEV) ## let the formatter and the linter fix what they can
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

# Every package with its version and hashes, for all Pythons and platforms at once. What is there stays as it is, unless
# an .in asks for another: UPGRADE='--upgrade-package NAME', or --upgrade for all.
COMPILE = @UV_CUSTOM_COMPILE_COMMAND="make requirements" .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --only-binary :all: $(UPGRADE)

requirements: $(DEV) ## compile requirements*.in to the .txt with every package and its hashes
	$(COMPILE) lambdas/requirements.in --output-file lambdas/requirements.txt
	$(COMPILE) lambdas/publish-requirements.in --output-file lambdas/publish-requirements.txt
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt
	$(COMPILE) local/requirements.in --output-file local/requirements.txt
	@# It is put beside the functions' packages.
	$(COMPILE) --no-deps bench/peers/requirements.in --output-file bench/peers/requirements.txt

SBOM = .venv/bin/cyclonedx-py requirements - --output-reproducible --of JSON --output-file cdk.out

sbom: $(DEV) ## write to cdk.out, in CycloneDX, what each asset ships, and what deploys
	@mkdir -p cdk.out
	@$(SBOM)/functions.cdx.json < lambdas/requirements.txt
	@cat lambdas/requirements.txt lambdas/publish-requirements.txt | $(SBOM)/publishing-functions.cdx.json
	@$(SBOM)/deployment.cdx.json < requirements.txt
	@ls cdk.out/*.cdx.json

reference: $(RUN) ## write the keys of a crawl, and who else counts, into docs/reference.md
	.venv/bin/python -m local.reference

pictures: $(CLI) $(DEV) $(EMULATOR) browser ## make the pictures of the documents again, after a change of how things look
	.venv/bin/python -m local.pictures

read-operations: $(DEV) ## write which operations only read, of which resources, what is secret, and the inventory's
	.venv/bin/python -m local.read_operations
	.venv/bin/python -m local.account_operations
	.venv/bin/python -m local.resource_templates
	.venv/bin/python -m local.secret_fields

bench: $(CLI) $(DEV) $(EMULATOR) ## measure what docs/performance.md says, beside peers: under 15 minutes
	@for of in cost logs page cold_start plan inventory growth "finish 1000000 1" "publish objects=100000" pages_per_second; do \
	  echo "== bench.$$of" && .venv/bin/python -m bench.$$of || failed=1; done; exit $${failed:-0}

bench-finish: $(DEV) ## memory and time of finishing runs of up to 10,000,000 pages
	@.venv/bin/python -m bench.finish

bench-publish: $(DEV) ## memory, disk, time and requests of publishing up to 10,000,000 items; LISTINGS="objects=100000" for others
	@.venv/bin/python -m bench.publish $(LISTINGS)

# Of your environment: credentials, region, and AWS_ENDPOINT_URL if that is `make local`'s. CONTEXT='-c name=value' for settings.
CDK = @.venv/bin/python -m local.cdk

bootstrap: $(CLI) $(RUN) ## prepare an account and region for the CDK, once
	$(CDK) bootstrap $(CONTEXT)

deploy: $(CLI) $(RUN) ## deploy to AWS, or to the emulator of `make local`; CONTEXT='-c name=value' for settings
	$(CDK) deploy $(CONTEXT)

# CloudFormation remembers the parameters of a stack that is there.
reader: $(CLI) $(RUN) ## let the deployment in account PAGETURNER_ACCOUNT, with EXTERNAL_ID, read this account
	@test -n "$(PAGETURNER_ACCOUNT)" || { echo "make reader needs the account that Pageturner is deployed to, and the output ExternalId of its stack: make reader PAGETURNER_ACCOUNT=111122223333 EXTERNAL_ID=01234567-89ab-cdef-0123-456789abcdef" >&2; exit 2; }
	$(CDK) deploy "Reader/*" --parameters PageturnerAccount=$(PAGETURNER_ACCOUNT) $(if $(EXTERNAL_ID),--parameters ExternalId=$(EXTERNAL_ID)) $(if $(PAGETURNER_REGION),--parameters PageturnerRegion=$(PAGETURNER_REGION)) $(CONTEXT)

reader-template: synth ## write reader.template.json, for StackSets
	@cp cdk.out/assembly-Reader/*.template.json cdk.out/reader.template.json
	@echo "cdk.out/reader.template.json"

destroy: $(CLI) $(RUN) ## delete the stack; bucket and tables stay, unless retain_data was false
	$(CDK) destroy $(CONTEXT)

synth: $(CLI) $(RUN) ## write the templates to cdk.out
	$(CDK) synth --quiet $(CONTEXT)

# What cdk.json runs, so that any CDK CLI works in a fresh clone.
app: $(RUN)
	@.venv/bin/python app.py

clean: ## remove all that the other targets made
	rm -rf .venv .venv-ministack node_modules cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis

need_python = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pageturner needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another with make PYTHON=…")'

$(RUN): requirements.txt
	$(need_python)
	$(STEP) "Creating .venv" $(PYTHON) -m venv --clear .venv
	$(STEP) "Installing the CDK and the functions' packages" .venv/bin/python $(INSTALL) --requirement requirements.txt
	$(STEP) "Installing the terminal, .venv/bin/pageturner" .venv/bin/python -m pip install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	$(STEP) "Installing the test tools" .venv/bin/python $(INSTALL) --requirement requirements-dev.txt
	@touch $@

# AWS's runtime interface client has wheels for Linux only. Its source has a hash, too.
FROM_SOURCE := $(if $(filter Darwin,$(shell uname)),--no-binary awslambdaric)

$(EMULATOR): local/requirements.txt
	$(need_python)
	$(STEP) "Creating .venv-ministack" $(PYTHON) -m venv --clear .venv-ministack
	$(STEP) "Installing MiniStack, the AWS emulator" .venv-ministack/bin/python $(INSTALL) $(FROM_SOURCE) --requirement local/requirements.txt
	@touch $@

$(CLI): package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Pageturner needs Node.js 22 or newer with npm, for the AWS CDK CLI" >&2; exit 1; }
	@test "$$(node --print 'process.versions.node.split(".")[0]')" -ge 22 || echo "Node.js $$(node --version) still works, but the AWS CDK no longer supports it: install 22 or newer"
	$(STEP) "Installing the AWS CDK CLI" npm ci --no-audit --no-fund
	@touch $@
