#!/usr/bin/env bash
# What one more function adds to a build: the processor time of compiling its
# three lines and linking its release binary, minus that of a build with nothing
# to do. Medians of five; everything else has been built before.
set -euo pipefail
cd "$(dirname "$0")/.."

RUNS=5
BINARY=functions/catalog/src/bin/get-product.rs
TIMEFORMAT='%U %S'

build() { cargo build --release --workspace --bins --quiet; }

# Processor milliseconds of one build.
measure() {
  { time build; } 2>&1 | awk 'END { printf "%d\n", ($1 + $2) * 1000 }'
}

median() { sort -n | sed -n "$(((RUNS + 1) / 2))p"; }

build
nothing=$(for ((run = 0; run < RUNS; run++)); do measure; done | median)
one=$(for ((run = 0; run < RUNS; run++)); do
  touch "$BINARY"
  measure
done | median)
echo "nothing to do: ${nothing} ms; one more function: ${one} ms; difference: $((one - nothing)) ms of processor time (promise: at most 600)"
