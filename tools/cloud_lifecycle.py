#!/usr/bin/env python3
"""Creates, updates, rolls back and deletes the stack in an emulated AWS.

The functions are empty files: nothing is invoked. What is shown is that the template
gets from each state to the next, which resources there are then, and what a failure
leaves behind.

    make cloud-lifecycle
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from cloud.stack import Stack
from cloud_test import PARAMETERS, ROOT, await_answer, environment
from deploy import BLOCKED
from processes import free_port, running

NAME = "emporium"
DELETED_WITHIN_SECONDS = 60
NEW_KEY = "new-key-of-the-edge"
EDGE = {"EdgeDomain": "api.shop.example", "EdgeCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
# SAM keeps the last value of what is not given; deploy.py always gives all.
NO_EDGE = dict.fromkeys(("EdgeDomain", "EdgeCertificate", "EdgeWebAcl", "EdgeKeyHashes", "EdgeKeyVersion"), '""')
EDGE_RESOURCES = {"EdgeAcl", "EdgeClientAddress", "EdgeDistribution", "EdgeSecret"}
# It is created last, and its name is taken.
FAULT = """
  Fault:
    Type: AWS::CloudFront::Function
    DependsOn: [OrdersTable, MfaSecret, PlaceOrderFunction, EdgeClientAddress]
    Properties:
      Name: !Sub ${AWS::StackName}-client-address
      FunctionConfig: { Comment: fails, Runtime: cloudfront-js-2.0 }
      FunctionCode: function handler(event) { return event.request; }

Outputs:
"""


class Lifecycle:
    """A stack, and a copy of the template to deploy it from."""

    def __init__(self, stack: Stack, root: Path, env: dict[str, str], output: BinaryIO) -> None:
        self.stack, self.root, self.env, self.output = stack, root, env, output
        self.text = (ROOT / "template.yaml").read_text()
        for name in set(re.findall(r"CodeUri: (target/lambda/[\w-]+)/", self.text)):
            (root / name).mkdir(parents=True)
            (root / name / "bootstrap").write_text("#!/bin/sh\n")

    def deploy(self, parameters: dict[str, str], *, broken: bool = False) -> bool:
        """Whether `sam deploy` succeeds."""
        text = self.text.replace("\nOutputs:\n", FAULT, 1) if broken else self.text
        (self.root / "template.yaml").write_text(text)
        try:
            given = {**PARAMETERS, **NO_EDGE, **parameters}
            self.stack.deploy(self.root, self.env, given, rollback=True, output=self.output)
        except subprocess.CalledProcessError:
            return False
        return True

    def status(self) -> str | None:
        """The stack's status; nothing once it is gone."""
        pages = self.stack.client("cloudformation").get_paginator("list_stacks").paginate()
        found = [one["StackStatus"] for page in pages for one in page["StackSummaries"] if one["StackName"] == NAME]
        return next((one for one in found if one != "DELETE_COMPLETE"), None)

    def kept(self) -> tuple[int, int]:
        """The numbers of tables and secrets, whether or not a stack has them."""
        tables = self.stack.client("dynamodb").list_tables()["TableNames"]
        secrets = self.stack.client("secretsmanager").list_secrets()["SecretList"]
        return len(tables), len(secrets)

    def edge(self) -> set[str]:
        """The stack's resources of the edge."""
        return EDGE_RESOURCES & self.stack.resources().keys()

    def rotated(self) -> str:
        """Replaces the key in the secret; the new version's id."""
        resources = self.stack.resources()
        secrets = self.stack.client("secretsmanager")
        secret = resources["EdgeSecret"]["PhysicalResourceId"]
        return secrets.put_secret_value(SecretId=secret, SecretString=NEW_KEY)["VersionId"]

    def key(self) -> str:
        """The key that CloudFront sends."""
        distribution = self.stack.resources()["EdgeDistribution"]["PhysicalResourceId"]
        found = self.stack.client("cloudfront").get_distribution_config(Id=distribution)["DistributionConfig"]
        return found["Origins"]["Items"][0]["CustomHeaders"]["Items"][0]["HeaderValue"]

    def delete(self) -> None:
        """Deletes the stack and waits until it is gone."""
        self.stack.client("cloudformation").delete_stack(StackName=NAME)
        ends = time.monotonic() + DELETED_WITHIN_SECONDS
        while self.status() is not None:
            if time.monotonic() > ends:
                sys.exit(f"the stack was not deleted: {self.status()}")
            time.sleep(0.5)


def expect(what: str, found: object, wanted: object) -> None:
    """Prints a step, and ends the run if it went otherwise."""
    print(f"{'ok' if found == wanted else 'FAILED'}: {what}: {found}", flush=True)
    if found != wanted:
        sys.exit(f"expected {wanted}")


def walk(life: Lifecycle) -> None:
    """From nothing to nothing, through every state."""
    expect("an edge without a certificate is refused", life.deploy({"EdgeDomain": "api.shop.example"}), False)
    expect("a creation that fails", life.deploy(EDGE, broken=True), False)
    expect("is rolled back", life.status(), "ROLLBACK_COMPLETE")
    expect("which deploy.py refuses to update", life.status() in BLOCKED, True)
    expect("and leaves no table and no secret", life.kept(), (0, 0))
    life.delete()
    expect("the stack is created", (life.deploy({}), life.status()), (True, "CREATE_COMPLETE"))
    tables, secrets = life.kept()
    expect("without an edge", life.edge(), set())
    expect("an update that fails", life.deploy(EDGE, broken=True), False)
    expect("is rolled back", life.status(), "UPDATE_ROLLBACK_COMPLETE")
    expect("with its tables and secrets, and no more", life.kept(), (tables, secrets))
    expect("an edge is added", (life.deploy(EDGE), life.edge()), (True, EDGE_RESOURCES))
    first, version = life.key(), life.rotated()
    expect("a new key waits for its version", (life.deploy({**EDGE, "EdgeKeyHashes": f"{'a' * 64},{'b' * 64}"}), life.key() == first), (True, True))
    pinned = {**EDGE, "EdgeKeyHashes": "b" * 64, "EdgeKeyVersion": version}
    expect("and is sent with it", (life.deploy(pinned), life.key() == NEW_KEY), (True, True))
    expect("an edge is removed", (life.deploy({}), life.edge()), (True, set()))
    life.delete()
    expect("a stack that is deleted leaves its tables and secrets", life.kept(), (tables, secrets + 1))


def main() -> int:
    """Starts the emulator, and ends it whatever happens."""
    port = free_port()
    stack = Stack(name=NAME, endpoint=f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="emporium-lifecycle-") as folder:
        data, root = Path(folder, "data"), Path(folder, "shop")
        data.mkdir()
        root.mkdir()
        (data / "calls.jsonl").touch()
        env = environment(stack.endpoint, port, data)
        log = ROOT / "target" / "cloud-lifecycle.log"
        print(f"what SAM and the emulator print: {log}", flush=True)
        command = [sys.executable, "-m", "cloud.emulator", str(data / "calls.jsonl")]
        with log.open("wb") as output, running(command, env=env, stdout=output, stderr=output) as emulator:
            await_answer(stack.endpoint, emulator)
            walk(Lifecycle(stack, root, env, output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
