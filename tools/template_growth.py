#!/usr/bin/env python3
"""The template with the services, queues and functions that are planned.

A CloudFormation stack takes 500 resources. Whether the shop will still be one stack
is found out by growing the template in the pattern that it has today: whole services,
consumers, scheduled functions and endpoints are copied under other names until there
are as many as planned, and SAM processes the result.

    tools/template_growth.py        prints what the grown template amounts to
"""

import collections
import copy
import json
import re
import sys

from template_model import FUNCTION, GRADUAL, Template, read

# What is planned; queues include dead-letter queues.
FUNCTIONS = 115
TABLES = 9
QUEUES = 30
# CloudWatch: one alarm takes ten metrics, and one alarm rolls a deployment back.
ALIASES = 10
MORE_SCHEDULED_FUNCTIONS = 4
MORE_SECRETS = 3
MORE_SHOP_ALARMS = 4

ALIAS_PROPERTIES = ("AutoPublishAlias", "AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "DeploymentPreference")


def grown(written):
    """A copy of the template with everything that is planned."""
    template = copy.deepcopy(written)
    resources = template["Resources"]

    def count(kind):
        return sum(resource["Type"] == kind for resource in resources.values())

    service = [name for name in written["Resources"] if "Payment" in name]
    while count("AWS::DynamoDB::Table") < TABLES:
        add(resources, service)
    aliased = [name for name, resource in resources.items() if ALIAS_PROPERTIES[0] in resource.get("Properties", {})]
    for name in aliased[ALIASES:]:
        drop_alias(resources[name])
    consumer = [name for name in written["Resources"] if name.startswith("AdvanceOrders")]
    while count("AWS::SQS::Queue") < QUEUES:
        drop_alias(resources[add(resources, consumer)["AdvanceOrdersFunction"]])
    for _ in range(MORE_SCHEDULED_FUNCTIONS):
        add(resources, ["ExpireReservationsFunction", "ExpireReservationsRole"])
    for _ in range(MORE_SECRETS):
        add(resources, ["MailSecret"])
    for _ in range(MORE_SHOP_ALARMS):
        add(resources, ["StuckOrdersAlarm"])
    while count(FUNCTION) < FUNCTIONS:
        route(resources, add(resources, ["GetOrderFunction", "GetOrderRole"]))
    return template


def add(resources, names):
    """Copies resources under new names, by which they refer to each other."""
    number = len(resources)
    renamed = {name: f"Planned{number}{name}" for name in names}
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    for name, new in renamed.items():
        text = pattern.sub(lambda found: renamed[found[1]], json.dumps(resources[name]))
        resources[new] = json.loads(text)
    return renamed


def drop_alias(function):
    for name in ALIAS_PROPERTIES:
        function["Properties"].pop(name, None)


def route(resources, renamed):
    """Gives a copy of GetOrderFunction a route, and API Gateway leave to invoke it."""
    function = renamed["GetOrderFunction"]
    paths = resources["Api"]["Properties"]["DefinitionBody"]["paths"]
    operation = json.dumps(paths["/api/orders/{id}"]["get"]).replace("GetOrderFunction", function)
    paths[f"/api/planned/{function}/{{id}}"] = {"get": json.loads(operation)}
    policy = resources["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"][0]["Resource"].append({"Fn::GetAtt": [function, "Arn"]})


def main():
    template = Template(grown(read()), GRADUAL)
    by_type = collections.Counter(resource["Type"] for resource in template.resources.values())
    for kind, number in by_type.most_common():
        print(f"{number:4} {kind}")
    print(f"{sum(by_type.values()):4} in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
