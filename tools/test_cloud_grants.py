"""What the comparison of grants and calls must find."""

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
    def test_what_is_granted_and_called_is_right(self):
        self.assertEqual(compare([READ, POLL], allowed=[READ], expected=[POLL]), [])

    def test_what_is_granted_and_not_called_is_named(self):
        found = compare([READ, WRITE], allowed=[READ])
        self.assertEqual(len(found), 1)
        self.assertIn("dynamodb:PutItem on arn:table/orders is granted and was not used", found[0])

    def test_what_was_refused_is_named(self):
        found = compare([READ], allowed=[READ], denied=[WRITE])
        self.assertEqual(len(found), 1)
        self.assertIn("dynamodb:PutItem on arn:table/orders was refused", found[0])

    def test_what_a_trigger_needs_and_is_not_granted_is_named(self):
        found = compare([READ], allowed=[READ], expected=[POLL])
        self.assertEqual(len(found), 1)
        self.assertIn("is what a trigger needs", found[0])

    def test_the_same_call_on_another_resource_counts_for_nothing(self):
        found = compare([READ], allowed=[("dynamodb:GetItem", "arn:table/users")])
        self.assertIn("is granted and was not used", found[0])

    def test_calls_are_read_by_role_and_by_decision(self):
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
