#!/usr/bin/env python3
"""Fails when the log of a shop has in it what belongs in no log.

    tools/scan_log.py target/shop.log

The tests write the log (SHOP_LOG). Whatever a person gives them bears the mark
`canary`: passwords, addresses, names; the rest shows by its form. A log that is
empty or short fails too: then nothing was looked at.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

#: Lines that the log of a whole run has at least.
LINES_MIN = 2_000
#: Findings that are shown.
SHOWN_MAX = 10
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: What belongs in no log.
SECRETS = {
    "a password, an address or a name": re.compile("canary", re.IGNORECASE),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE),
    "an access token": re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    "a refresh token": re.compile(UUID + r"\.[\w-]{64}"),
    "a token of a mail": re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])"),
    "a link with a token": re.compile(r"token=", re.IGNORECASE),
    "an authorization header": re.compile(r"\bbearer ", re.IGNORECASE),
    "a password's hash": re.compile(r"\$argon2"),
    "a recovery code": re.compile(r"\b(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}\b"),
    "the secret of a second factor": re.compile(r"otpauth:|\b[A-Z2-7]{32}\b"),
    "an internal key": re.compile(r"local-internal-key|the-(internal-)?key-of-(a-shop|one)-"),
}


def findings(lines: list[str]) -> list[str]:
    """What is in the lines that belongs in none."""
    found = []
    for number, line in enumerate(lines, start=1):
        for name, pattern in SECRETS.items():
            match = pattern.search(line)
            if match:
                found.append(f"line {number}: {name}: {match.group()[:40]} in {line[:300]}")
    return found


def requests(lines: list[str]) -> int:
    """How many of the lines tell of a request."""
    count = 0
    for line in lines:
        try:
            count += "status" in json.loads(line)
        except ValueError:
            continue
    return count


def problems(text: str) -> list[str]:
    """What is wrong with a log."""
    lines = text.splitlines()
    told = requests(lines)
    if len(lines) < LINES_MIN or told < LINES_MIN // 10:
        return [f"{len(lines)} lines and {told} requests: that is not the log of a whole run"]
    return findings(lines)


def main() -> int:
    """The exit code."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = Path(sys.argv[1])
    if not path.exists():
        sys.exit(f"{path} is not there: no test has started the shop")
    text = path.read_text(errors="replace")
    found = problems(text)
    for problem in found[:SHOWN_MAX]:
        print(problem, file=sys.stderr)
    if found:
        print(f"{path}: {len(found)} findings", file=sys.stderr)
        return 1
    print(f"{path}: {len(text.splitlines())} lines, and no secret in any")
    return 0


if __name__ == "__main__":
    sys.exit(main())
