#!/bin/sh
# Rust links with the system's C compiler, and SQLite is built with it. Where
# there is none and Debian's package manager may be used, this installs it.
set -eu
command -v cc >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
  echo "a C compiler (cc) is needed: install your system's build tools" >&2
  exit 1
fi
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -q
$root apt-get install -q -y build-essential
