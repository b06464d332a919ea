"""What each role grants, against the calls that were made in it.

A grant is an action on a resource. Calls that AWS makes on behalf of a function
(logs, traces, polling queues and streams, invoking it for a route or a schedule)
do not reach the emulator's IAM; they are derived from the triggers instead.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from .stack import Stack

Grants = dict[str, set[tuple[str, str]]]

LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
# With what a consumer does to a message that fails, which none may in a test.
POLLING_QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}
# Grants for what no black-box test brings about, with the test that does.
RARELY_USED = {
    ("AdjustStockRole", "dynamodb:BatchGetItem"): "a product in shards: cargo test -p catalog --test it hot_product",
    ("AnonymiseOrdersRole", "dynamodb:PutItem"): "more orders than one run: cargo test -p orders --test it anonymise",
    ("CreateCategoryRole", "dynamodb:DeleteItem"): "a key given up: cargo test -p catalog --test it creating_once",
    ("CreateProductRole", "dynamodb:DeleteItem"): "a key given up: cargo test -p catalog --test it creating_once",
    ("CreateProductRole", "dynamodb:UpdateItem"): "a product with a key: cargo test -p catalog --test it creating_once",
    ("ExpireReservationsRole", "dynamodb:DeleteItem"): "a fold of shards: cargo test -p catalog --test it shards",
    ("SettleReservationsRole", "dynamodb:BatchGetItem"): "goods of a folded shard: cargo test -p catalog --test it shards",
}
POLLING_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


def as_list(value) -> list:
    """A field of a policy, which is one value or a list."""
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
    """The calls made in each role: those allowed and those denied."""
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
    """What AWS needs of each role for the functions' triggers."""
    client = stack.client("lambda")
    functions = {
        resource["PhysicalResourceId"]
        for resource in stack.resources().values()
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    expected: Grants = defaultdict(set)
    for role, function in stack.invocations | scheduled(stack):
        expected[role].add(("lambda:InvokeFunction", function))
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


def scheduled(stack: Stack) -> set[tuple[str, str]]:
    """Role and function of each schedule."""
    scheduler = stack.client("scheduler")
    found = set()
    for page in scheduler.get_paginator("list_schedules").paginate():
        for schedule in page["Schedules"]:
            target = scheduler.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])["Target"]
            found.add((target["RoleArn"].split("/")[-1], target["Arn"]))
    return found


def differences(granted_: Grants, allowed: Grants, denied: Grants, expected: Grants) -> list[str]:
    """Grants that were not used, calls that were denied, and triggers without a grant."""
    wrong = []
    for role in sorted(granted_.keys() | denied.keys()):
        for action, resource in sorted(denied[role]):
            wrong.append(f"{role}: {action} on {resource} was denied")
        for action, resource in sorted(granted_[role] - allowed[role] - expected[role]):
            is_rare = any(name in role and action == rare for name, rare in RARELY_USED)
            if action not in LOGGING | TRACING and not is_rare:
                wrong.append(f"{role}: {action} on {resource} is granted and was not used")
        missing = {(a, r) for a, r in expected[role] if (a, r) not in granted_[role]}
        for action, resource in sorted(missing):
            wrong.append(f"{role}: {action} on {resource} is needed by a trigger and not granted")
    return wrong
