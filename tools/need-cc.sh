#!/bin/sh
# Installs a C compiler on Debian if there is none: Rust links with it, and
# SQLite is compiled with it.
set -eu
command -v cc >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
  echo "a C compiler (cc) is required: install your system's build tools" >&2
  exit 1
fi
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -q
$root apt-get install -q -y build-essential
