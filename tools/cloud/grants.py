"""What each role grants, against the calls that its function made.

A grant is an action on a resource. What Lambda itself calls for a function
(its logs, its polling of queues and streams, its traces) is not seen by the
emulator's IAM and is expected from the triggers instead.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from .stack import Stack

Grants = dict[str, set[tuple[str, str]]]

LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
POLLING_QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
POLLING_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


def as_list(value) -> list:
    """A policy's field, which is one thing or a list of them."""
    return value if isinstance(value, list) else [value]


def granted(stack: Stack) -> Grants:
    """Each role's grants, by the role's name."""
    iam = stack.client("iam")
    found: Grants = defaultdict(set)
    for resource in stack.resources().values():
        if resource["ResourceType"] != "AWS::IAM::Role":
            continue
        role = resource["PhysicalResourceId"]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            document = json.loads(document) if isinstance(document, str) else document
            for statement in document["Statement"]:
                for action in as_list(statement["Action"]):
                    for target in as_list(statement["Resource"]):
                        found[role].add((action, target))
    return found


def called(calls: Path) -> tuple[Grants, Grants]:
    """The calls that roles made: those that were allowed, and those denied."""
    allowed: Grants = defaultdict(set)
    denied: Grants = defaultdict(set)
    for line in calls.read_text().splitlines():
        call = json.loads(line)
        if ":assumed-role/" not in call["principal"]:
            continue
        role = call["principal"].split(":assumed-role/")[1].split("/")[0]
        into = allowed if call["allowed"] else denied
        into[role].add((call["action"], call["resource"]))
    return allowed, denied


def by_triggers(stack: Stack) -> Grants:
    """What Lambda needs of each role because of the function's triggers."""
    client = stack.client("lambda")
    functions = {
        resource["PhysicalResourceId"]
        for resource in stack.resources().values()
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    expected: Grants = defaultdict(set)
    for name in functions:
        role = client.get_function_configuration(FunctionName=name)["Role"].split("/")[-1]
        for page in client.get_paginator("list_event_source_mappings").paginate(FunctionName=name):
            for mapping in page["EventSourceMappings"]:
                source = mapping["EventSourceArn"]
                actions = POLLING_QUEUE if ":sqs:" in source else POLLING_STREAM
                expected[role] |= {(action, source) for action in actions}
                failed = mapping.get("DestinationConfig", {}).get("OnFailure", {})
                if failed.get("Destination"):
                    expected[role].add(("sqs:SendMessage", failed["Destination"]))
    return expected


def differences(granted_: Grants, allowed: Grants, denied: Grants, expected: Grants) -> list[str]:
    """What is granted and was not used, and what was used and is not granted."""
    wrong = []
    for role in sorted(granted_.keys() | denied.keys()):
        for action, resource in sorted(denied[role]):
            wrong.append(f"{role}: {action} on {resource} was refused")
        for action, resource in sorted(granted_[role] - allowed[role] - expected[role]):
            if action not in LOGGING | TRACING:
                wrong.append(f"{role}: {action} on {resource} is granted and was not used")
        missing = {(a, r) for a, r in expected[role] if (a, r) not in granted_[role]}
        for action, resource in sorted(missing):
            wrong.append(f"{role}: {action} on {resource} is what a trigger needs")
    return wrong
