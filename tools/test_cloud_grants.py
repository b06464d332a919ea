"""The comparison of grants and calls finds each kind of difference."""

import json
import tempfile
import unittest
from pathlib import Path

from cloud import grants

ROLE = "orders-PlaceOrderRole"
READ = ("dynamodb:GetItem", "arn:table/orders")
WRITE = ("dynamodb:PutItem", "arn:table/orders")
POLL = ("sqs:ReceiveMessage", "arn:queue")


def compare(granted, allowed=(), denied=(), expected=()):
    """The differences for one role."""
    of = lambda calls: grants.defaultdict(set, {ROLE: set(calls)})
    return grants.differences(of(granted), of(allowed), of(denied), of(expected))


class Differences(unittest.TestCase):
    def test_grants_that_are_used_are_no_difference(self):
        self.assertEqual(compare([READ, POLL], allowed=[READ], expected=[POLL]), [])

    def test_an_unused_grant_is_reported(self):
        found = compare([READ, WRITE], allowed=[READ])
        self.assertEqual(len(found), 1)
        self.assertIn("dynamodb:PutItem on arn:table/orders is granted and was not used", found[0])

    def test_a_denied_call_is_reported(self):
        found = compare([READ], allowed=[READ], denied=[WRITE])
        self.assertEqual(len(found), 1)
        self.assertIn("dynamodb:PutItem on arn:table/orders was denied", found[0])

    def test_a_missing_grant_of_a_trigger_is_reported(self):
        found = compare([READ], allowed=[READ], expected=[POLL])
        self.assertEqual(len(found), 1)
        self.assertIn("is needed by a trigger", found[0])

    def test_a_call_on_another_resource_does_not_count(self):
        found = compare([READ], allowed=[("dynamodb:GetItem", "arn:table/users")])
        self.assertIn("is granted and was not used", found[0])

    def test_calls_are_sorted_by_role_and_decision(self):
        lines = [
            {"principal": f"arn:aws:sts::1:assumed-role/{ROLE}/f", "action": a, "resource": r, "allowed": ok}
            for (a, r), ok in [(READ, True), (WRITE, False)]
        ] + [{"principal": "arn:aws:iam::1:root", "action": "x", "resource": "*", "allowed": True}]
        with tempfile.TemporaryDirectory() as folder:
            calls = Path(folder) / "calls.jsonl"
            calls.write_text("\n".join(json.dumps(line) for line in lines))
            allowed, denied = grants.called(calls)
        self.assertEqual((dict(allowed), dict(denied)), ({ROLE: {READ}}, {ROLE: {WRITE}}))


if __name__ == "__main__":
    unittest.main()
