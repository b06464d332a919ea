"""Tests which log lines are reported."""

import json
import unittest

from scan_log import LINES_MIN, SECRETS, problems

ID = "01936d2e-7c1a-7b3e-9a51-0f6f5d1c2a01"
LINE = {"level": "INFO", "message": "request", "function": "log-in", "request_id": ID, "status": 401, "route": "POST /api/auth/login"}
#: One secret of each kind.
LEAKS = {
    "a password, an address or a name": "CANARY-otters",
    "an e-mail address": "ada.byron+shop@example.com",
    "an access token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIx.c2ln",
    "a refresh token": f"{ID}.{'aB3-' * 16}",
    "a token from a mail": "tQ_-" * 10 + "xyz",
    "a link with a token": "/verify-email?token=abc",
    "an authorization header": "authorization: Bearer abc",
    "a password hash": "$argon2id$v=19$m=19456",
    "a recovery code": "ABCD-EFGH-2345-67AZ",
    "the secret of a second factor": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "an internal key": "the-internal-key-of-one-test",
}


def log(*messages: str) -> str:
    lines = [json.dumps(LINE)] * LINES_MIN
    return "\n".join(lines + [json.dumps({**LINE, "message": message}) for message in messages])


class Scan(unittest.TestCase):
    def test_requests_are_not_reported(self):
        self.assertEqual(problems(log("a correlation id: " + ID)), [])

    def test_each_kind_of_secret_is_found_by_its_pattern(self):
        self.assertEqual(set(LEAKS), set(SECRETS))
        for name, secret in LEAKS.items():
            found = problems(log(f"failed for {secret}."))
            self.assertTrue(any(name in one for one in found), (name, found))
            self.assertTrue(all(f"line {LINES_MIN + 1}:" in one for one in found), found)

    def test_an_empty_or_short_log_fails(self):
        for text in ("", json.dumps(LINE), "\n".join(["no request"] * 2 * LINES_MIN)):
            self.assertEqual(len(problems(text)), 1)


if __name__ == "__main__":
    unittest.main()
