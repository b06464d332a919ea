# Emporium. `make help` lists the targets.

PORT ?= 3000
BASE_URL ?= http://127.0.0.1:$(PORT)
INTERNAL_KEY ?= local-internal-key
PYTHON ?= python3
VENV ?= .venv
# The processor to build for: this machine's, or arm64, x86_64.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
export PORT BASE_URL INTERNAL_KEY

.DEFAULT_GOAL := help
.PHONY: help dev test lint seed demo generate

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## run the whole shop on this machine (PORT=3000; EPHEMERAL=1 keeps nothing)
	@tools/need-cc.sh
	@cargo build --workspace --bin emporium-local
	@exec target/debug/emporium-local

# What the shop of the black-box tests logs, everything; then no secret may be in it.
SHOP_LOG = $(CURDIR)/target/shop.log
define SCAN_LOG
$(PYTHON) -m unittest discover --start-directory tools --pattern 'test_scan_*.py'
$(PYTHON) tools/scan_log.py $(SHOP_LOG)
endef

test: lint ## formatting, clippy, unit, route and black-box tests
	cargo build --workspace --bin emporium-local
	env -u BASE_URL -u PORT -u INTERNAL_KEY SHOP_LOG=$(SHOP_LOG) cargo test --workspace --lib --test '*'
	$(SCAN_LOG)

test-shop: ## the black-box tests; ONLY=kill runs those with that in their name
	cargo build --workspace --bin emporium-local
	env -u PORT $(if $(SHOP),BASE_URL=$(SHOP),-u BASE_URL SHOP_LOG=$(SHOP_LOG)) cargo test --package shop-tests --test shop -- $(ONLY)
	$(if $(SHOP)$(ONLY),,$(SCAN_LOG))

# The second package fixes the features of the dependencies: without it cargo
# would build the SDKs again with others (docs/decisions/0002-building.md).
test-%: ## the tests of one service: make test-orders ONLY=get_order
	cargo test --package $* --package shop-tests --lib --test it -- $(ONLY)

lint: ## formatting and clippy, warnings denied
	@tools/need-cc.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

generate: ## write what follows from functions' declarations: roles, routes, alarms, files of new functions
	@cargo run --quiet --package shop-tests --example generate

seed: ## load the sample catalogue into BASE_URL
	@$(PYTHON) tools/seed.py

demo: ## drive and narrate the whole story against BASE_URL
	@$(PYTHON) tools/demo.py

# ---- Python tools: sam, cfn-lint, cargo-lambda, the emulated cloud -----------

$(VENV)/ready: tools/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt
	@touch $@

# ---- Release binaries ----------------------------------------------------------

.PHONY: build sizes invoke test-invoke cloud-test cloud-lifecycle

SERVICES = $(addprefix --package ,$(notdir $(wildcard functions/*)))

# Once for the workspace: `sam build` would run cargo once a function.
build: $(VENV)/ready ## the release binaries, in target/lambda/ (ARCH=arm64|x86_64)
	@tools/need-cc.sh
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cargo lambda build --release --$(subst _,-,$(ARCH)) $(SERVICES) --bins

sizes: ## what each function's zip weighs; fails over 4.0 MB
	@$(PYTHON) tools/sizes.py

invoke: $(VENV)/ready ## run one binary with its sample event (FN=place-order, EVENT=file)
	@test -n "$(FN)" || { echo 'usage: make invoke FN=place-order' >&2; exit 1; }
	@$(VENV)/bin/python tools/invoke.py $(FN) $(EVENT)

test-invoke: $(VENV)/ready ## run every binary with its sample event
	cargo build --workspace --bin emporium-local
	@$(VENV)/bin/python tools/invoke.py --all

cloud-test: $(VENV)/ready ## deploy the template to an emulated AWS with IAM, and run the black-box tests there
	$(VENV)/bin/python -m unittest discover --start-directory tools --pattern 'test_cloud_*.py'
	@$(VENV)/bin/python tools/cloud_test.py

cloud-lifecycle: $(VENV)/ready ## create, update, roll back and delete the stack in an emulated AWS, without binaries
	@$(VENV)/bin/python tools/cloud_lifecycle.py

# ---- Template: lint and deploy ------------------------------------------------

.PHONY: lint-template deploy deploy-built

# Neither calls AWS, but both require a region.
lint-template: export AWS_DEFAULT_REGION = us-east-1
lint-template: export SAM_CLI_TELEMETRY = 0
lint-template: $(VENV)/ready ## check template.yaml: SAM, cfn-lint, our own checks, the stack budget
	$(VENV)/bin/sam validate --lint --template template.yaml
	$(VENV)/bin/cfn-lint --append-rules cfn_lint_serverless.rules
	$(VENV)/bin/python tools/lint_template.py
	$(VENV)/bin/python tools/deploy_role.py
	$(VENV)/bin/python -m unittest discover --start-directory tools --pattern 'test_lint_*.py'

# Not this machine's: an environment that flips between the two is built anew twice.
deploy: ARCH = arm64
# RELEASE=<ten hexadecimal digits> replaces every running function even if nothing
# else has changed.
deploy: $(VENV)/ready build deploy-built ## build, and deploy to ENV=dev|staging|prod (PARAMETERS="Name=value …")

deploy-built: $(VENV)/ready ## deploy the binaries that are in target/lambda/, as deploy does
	@test -n "$(ENV)" || { echo 'usage: make deploy ENV=dev' >&2; exit 1; }
	$(VENV)/bin/python tools/deploy.py $(ENV) $(if $(filter file environment,$(origin ARCH)),,Architecture=$(ARCH)) $(if $(RELEASE),Release=$(RELEASE)) $(PARAMETERS)

# ---- For whoever is on call ---------------------------------------------------

.PHONY: emporium
# Of the workspace, so that the SDK is not built again with other features.
emporium: ## build target/debug/emporium: shows, resumes and cancels orders, redrives, checks
	@tools/need-cc.sh
	cargo build --workspace --bin emporium

# ---- The shop under faults ------------------------------------------------------

.PHONY: simulate drop
# WEATHER names a set of troubles, FROM the first seed, FOUND after how many broken runs to
# stop; TEETH=0 leaves the teeth out, UPDATE=1 writes docs/reliability.md.
simulate: ## run SEEDS=200 seeds of the shop under faults; SEED=<n> replays one and tells its story
	@tools/need-cc.sh
	@COMMIT=$$(git describe --always --dirty 2>/dev/null) SEEDS=$(SEEDS) FROM=$(FROM) SEED=$(SEED) \
		WEATHER=$(WEATHER) FOUND=$(FOUND) TEETH=$(TEETH) UPDATE=$(UPDATE) \
		cargo run --quiet --release --package simulator

.PHONY: model
model: ## search every interleaving of ORDERS=2 orders for UNITS=1 units (3 orders take about a minute)
	@cargo build --quiet --workspace --bin model
	@ORDERS=$(ORDERS) UNITS=$(UNITS) target/debug/model

drop: ## many buyers of one product: RATE=1000 a second, BUYERS=50000, of STOCK=25000 units
	@tools/need-cc.sh
	@RATE=$(or $(RATE),1000) BUYERS=$(or $(BUYERS),50000) STOCK=$(or $(STOCK),25000) SEED=$(SEED) cargo run --quiet --release --package simulator --bin drop

# ---- Figures -----------------------------------------------------------------

.PHONY: cost cost-gate
cost: ## what an order costs in AWS, measured; fails when it grew (UPDATE=1 writes docs/cost.md)
	@tools/need-cc.sh
	UPDATE=$(UPDATE) FIGURES=$(FIGURES) PRODUCTS=$(PRODUCTS) PART=$(PART) cargo bench --package cost --bench cost

# Units do not depend on the build, and milliseconds are next to nothing of an
# order; so the gate holds with the binaries that the tests have made.
cost-gate: ## the same with a development build and small catalogues, in two minutes, for CI
	PRODUCTS=$(or $(PRODUCTS),3000) cargo bench --profile dev --package cost --package shop-tests --bench cost

.PHONY: bench timing bench-build

# The binaries of `make build`, as they are deployed.
bench: build benches/node/dist ## measure the release binaries, write docs/performance.md (QUICK=1: a smoke run)
	cargo build --release --package benches --bins
	@BOOTSTRAPS=$(or $(BOOTSTRAPS),target/lambda) $${CARGO_TARGET_DIR:-target}/release/bench

# The peers to compare with. Native modules come built in their packages.
benches/node/dist: benches/node/package-lock.json $(wildcard benches/node/src/*.js) benches/node/build.js
	cd benches/node && npm ci && npm run build
	@touch $@

# The binaries of `make build`, as they are deployed.
timing: build ## whether the time of an answer tells who has an account (PAIRS=2000)
	cargo build --release --package benches --bin timing
	@BOOTSTRAPS=$(or $(BOOTSTRAPS),target/lambda) $${CARGO_TARGET_DIR:-target}/release/timing

bench-build: ## processor seconds of building one more function
	@benches/marginal-build.sh
