"""Runs ministack, the AWS emulator, and notes every call that IAM decided.

Run as a child by cloud_test.py: `python -m cloud.emulator CALLS`. Each line of
the file CALLS is one decision: principal, action, resource, allowed.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from pathlib import Path

from ministack import app
from ministack.core import iam_evaluator


def note_decisions(calls: Path) -> None:
    """Has each decision of the policy evaluation written down."""
    decide = iam_evaluator.evaluate
    file = calls.open("a", buffering=1)
    lock = threading.Lock()
    seen: set[str] = set()

    def evaluate(context, policies, *limits):
        result = decide(context, policies, *limits)
        line = json.dumps(
            {
                "principal": context.principal_arn,
                "action": context.action,
                "resource": context.resource_arn,
                "allowed": result.decision == "Allow",
            }
        )
        with lock:
            if line not in seen:
                seen.add(line)
                file.write(line + "\n")
        return result

    iam_evaluator.evaluate = evaluate


def main() -> None:
    """Runs until it is told to end."""
    # The runtime API of a function answers in two writes; with Nagle's
    # algorithm the second waits for the first's acknowledgement, 40 ms.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    note_decisions(Path(sys.argv.pop(1)))
    app.main()


if __name__ == "__main__":
    main()
