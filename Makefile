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

.PHONY: cost
cost: ## what an order costs in AWS, measured; fails when it grew (UPDATE=1 writes docs/cost.md)
	@tools/need-cc.sh
	UPDATE=$(UPDATE) FIGURES=$(FIGURES) PRODUCTS=$(PRODUCTS) PART=$(PART) cargo bench --workspace --bench cost
