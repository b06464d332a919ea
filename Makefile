# Emporium. `make help` lists the targets.

PORT ?= 3000
BASE_URL ?= http://127.0.0.1:$(PORT)
INTERNAL_KEY ?= local-internal-key
PYTHON ?= python3
export PORT BASE_URL INTERNAL_KEY

.DEFAULT_GOAL := help
.PHONY: help dev test lint seed demo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## run the whole shop on this machine (PORT=3000; EPHEMERAL=1 keeps nothing)
	@tools/need-cc.sh
	@cargo build --workspace --bin emporium-local
	@exec target/debug/emporium-local

test: lint ## formatting, clippy, unit, route and black-box tests
	cargo build --workspace --bin emporium-local
	env -u BASE_URL -u PORT -u INTERNAL_KEY cargo test --workspace --lib --test '*'

test-shop: ## the black-box tests; ONLY=kill runs those with that in their name
	cargo build --workspace --bin emporium-local
	env -u PORT $(if $(SHOP),BASE_URL=$(SHOP),-u BASE_URL) cargo test --package shop-tests --test shop -- $(ONLY)

# The second package is there for its features: so nothing is built anew.
test-%: ## the tests of one service: make test-orders
	cargo test --package $* --package shop-tests --lib --test it

lint: ## formatting and clippy, warnings denied
	@tools/need-cc.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

seed: ## load the sample catalogue into BASE_URL
	@$(PYTHON) tools/seed.py

demo: ## drive and narrate the whole story against BASE_URL
	@$(PYTHON) tools/demo.py

# ---- Benchmarks ----

.PHONY: bench bench-build

bench: benches/node/dist ## measure the release binaries, write docs/performance.md (QUICK=1: a smoke run; BOOTSTRAPS=dir)
	cargo build --release --workspace --bins
	@$${CARGO_TARGET_DIR:-target}/release/bench

# The peers to compare with. Native modules come built in their packages.
benches/node/dist: benches/node/package-lock.json $(wildcard benches/node/src/*.js) benches/node/build.js
	cd benches/node && npm ci && npm run build
	@touch $@

bench-build: ## processor seconds of building one more function
	@benches/marginal-build.sh
