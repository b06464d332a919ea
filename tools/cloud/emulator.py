"""Runs ministack, an AWS emulator, and records every IAM decision.

Run as a child by cloud_test.py: `python -m cloud.emulator CALLS`. Each line of
the file CALLS is one decision: principal, action, resource, allowed.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from email.utils import parseaddr
from pathlib import Path

from ministack import app
from ministack.core import iam_actions, iam_evaluator


#: Actions that the emulator checks although AWS has no such action, with the one
#: that AWS checks (Service Authorization Reference, Amazon SNS).
KNOWN_AS = {"sns:PublishBatch": "sns:Publish", "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",}


#: The configuration set of the mail that this thread is asked to send.
requested = threading.local()


def note_decisions(calls: Path) -> None:
    """Records each distinct decision on a call of a role."""
    decide, enforce = iam_evaluator.evaluate, iam_evaluator.enforce
    file = calls.open("a", buffering=1)
    lock = threading.Lock()
    principal = threading.local()
    seen: set[str] = set()

    def evaluate(context, policies, *limits):
        # The first evaluation of a call is of the caller's own policies.
        if principal.arn is None:
            principal.arn = context.principal_arn
        return decide(context, policies, *limits)

    def note(access_key_id, action, *rest, resource_arn="*", **options):
        action = KNOWN_AS.get(action, action)
        refused = decided(access_key_id, action, *rest, resource_arn=resource_arn, **options)
        # AWS also checks `ses:SendEmail` on the configuration set.
        configuration_set, requested.configuration_set = getattr(requested, "configuration_set", None), None
        if refused is None and configuration_set and action == "ses:SendEmail":
            refused = decided(access_key_id, action, *rest, resource_arn=configuration_set, **options)
        return refused

    def decided(access_key_id, action, *rest, resource_arn, **options):
        principal.arn = None
        refused = enforce(access_key_id, action, *rest, resource_arn=resource_arn, **options)
        if principal.arn is not None:
            call = {"principal": principal.arn, "action": action, "resource": resource_arn}
            line = json.dumps({**call, "allowed": refused is None})
            with lock:
                if line not in seen:
                    seen.add(line)
                    file.write(line + "\n")
        return refused

    iam_evaluator.evaluate, iam_evaluator.enforce = evaluate, note


def name_identities() -> None:
    """Makes IAM check sending mail on the identity of the sender and its configuration set.

    AWS checks `ses:SendEmail` on both; the emulator checks it on `*`, which no role
    here grants.
    """
    extract = iam_actions.extract_resource_arn

    def resource(service, method, path, headers, body, params, region, account):
        sender = first(params.get("Source")) if service == "ses" else None
        if sender:
            address, configuration_set = sender, first(params.get("ConfigurationSetName"))
            if configuration_set:
                requested.configuration_set = f"arn:aws:ses:{region}:{account}:configuration-set/{configuration_set}"
            return f"arn:aws:ses:{region}:{account}:identity/{parseaddr(address)[1]}"
        return extract(service, method, path, headers, body, params, region, account)

    iam_actions.extract_resource_arn = resource


def first(value):
    """A parameter of a query, which may be a list."""
    return value[0] if isinstance(value, list) else value


def main() -> None:
    """Runs until it is terminated."""
    # The runtime API of a function answers in two writes; with Nagle's
    # algorithm the second waits for the first's acknowledgement, 40 ms.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    name_identities()
    note_decisions(Path(sys.argv.pop(1)))
    app.main()


if __name__ == "__main__":
    main()
