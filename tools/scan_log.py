#!/usr/bin/env python3
"""Fails if a shop's log contains secrets or personal data.

    tools/scan_log.py target/shop.log

The black-box tests write the log (SHOP_LOG). All passwords, addresses and names in
them contain the marker `canary`; other secrets are recognised by their format. An
empty or short log fails as well, because scanning it would prove nothing.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

#: The minimum number of lines in the log of a complete run.
LINES_MIN = 2_000
#: The maximum number of findings that are printed.
SHOWN_MAX = 10
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: What no log may contain.
SECRETS = {
    "a password, an address or a name": re.compile("canary", re.IGNORECASE),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE),
    "an access token": re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    "a refresh token": re.compile(UUID + r"\.[\w-]{64}"),
    "a token from a mail": re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])"),
    "a link with a token": re.compile(r"token=", re.IGNORECASE),
    "an authorization header": re.compile(r"\bbearer ", re.IGNORECASE),
    "a password hash": re.compile(r"\$argon2"),
    "a recovery code": re.compile(r"\b(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}\b"),
    "the secret of a second factor": re.compile(r"otpauth:|\b[A-Z2-7]{32}\b"),
    "an internal key": re.compile(r"local-internal-key|the-(internal-)?key-of-(a-shop|one)-"),
}


def findings(lines: list[str]) -> list[str]:
    """The secrets in the lines."""
    found = []
    for number, line in enumerate(lines, start=1):
        for name, pattern in SECRETS.items():
            match = pattern.search(line)
            if match:
                found.append(f"line {number}: {name}: {match.group()[:40]} in {line[:300]}")
    return found


def requests(lines: list[str]) -> int:
    """The number of lines that log a request."""
    count = 0
    for line in lines:
        try:
            count += "status" in json.loads(line)
        except ValueError:
            continue
    return count


def problems(text: str) -> list[str]:
    """The problems of a log."""
    lines = text.splitlines()
    logged = requests(lines)
    if len(lines) < LINES_MIN or logged < LINES_MIN // 10:
        return [f"{len(lines)} lines and {logged} requests: this is not the log of a complete run"]
    return findings(lines)


def main() -> int:
    """Returns the exit code."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = Path(sys.argv[1])
    if not path.exists():
        sys.exit(f"{path} does not exist: no test has started a shop")
    text = path.read_text(errors="replace")
    found = problems(text)
    for problem in found[:SHOWN_MAX]:
        print(problem, file=sys.stderr)
    if found:
        print(f"{path}: {len(found)} findings", file=sys.stderr)
        return 1
    print(f"{path}: {len(text.splitlines())} lines, no secrets found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
