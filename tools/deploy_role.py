#!/usr/bin/env python3
"""Checks the policies of docs/deploy-role.md against the template.

The service authorization reference, as cfn-lint ships it, says which actions exist
and which of them know resources; `deploy_role_needs` says what CloudFormation calls
for each type of resource. What neither can show is whether AWS really calls that.

    tools/deploy_role.py        prints the findings
"""

import fnmatch
import json
import re
import sys
from importlib import resources as packaged

from deploy_role_needs import NEEDS, PASSED_TO, SAM_NEEDS, STACK_NEEDS
from template_model import GRADUAL, TEMPLATE, Template, as_list, read

DOCUMENT = TEMPLATE.parent / "docs" / "deploy-role.md"
REFERENCE = json.loads(packaged.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())
NAMES = {"REGION": "eu-central-1", "ACCOUNT": "123456789012", "STACK": "emporium-prod"}
# IAM: the inline policies of a role, and a managed policy, without white space.
INLINE_CHARACTERS_MAX, MANAGED_CHARACTERS_MAX = 10240, 6144
# Made by SAM, which gives it no boundary: it may have one managed policy only.
CODE_DEPLOY_ROLE = "arn:aws:iam::123456789012:role/emporium-prod-CodeDeployServiceRole-1ABC"
# The reference knows a topic for them, but its earlier versions knew none; they work
# on subscriptions.
ON_SUBSCRIPTIONS = {"sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"}
# Missing from the reference, and named in denials.
UNLISTED = {"apigateway:TagResource"}
# Whoever has one of these on a role without a boundary can give it everything.
BOUNDED = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:AttachRolePolicy"}
NEVER_IN_BOUNDARY = ("iam:", "sts:", "organizations:", "cloudformation:", "*")


def policies(text):
    """The JSON documents of the page by the names that it gives them, filled in."""
    for name, value in NAMES.items():
        text = re.sub(rf"\b{name}\b", value, text)
    found = {}
    for name, body in re.findall(r"\(`(\w+)\.json`\).*?```json\n(.*?)```", text, re.DOTALL):
        found[name] = json.loads(body)
    return found


def allowed(policy, action, arn, context=None):
    """Whether a statement allows an action on a resource."""
    for statement in policy["Statement"]:
        actions, on = as_list(statement["Action"]), as_list(statement["Resource"])
        if not any(fnmatch.fnmatchcase(action.lower(), each.lower()) for each in actions):
            continue
        if any(fnmatch.fnmatchcase(arn, each) for each in on) and _holds(statement.get("Condition", {}), context or {}):
            return True
    return False


def _holds(condition, context):
    for tests in condition.values():
        for key, values in tests.items():
            if not any(fnmatch.fnmatchcase(context.get(key, ""), value) for value in as_list(values)):
                return False
    return True


def mistakes(policy):
    """What AWS ignores or refuses in a policy, and what is wider than it has to be."""
    for statement in policy["Statement"]:
        sid, on, conditions = statement["Sid"], as_list(statement["Resource"]), str(statement.get("Condition", {}))
        for action in as_list(statement["Action"]):
            service, _, verb = action.partition(":")
            known = REFERENCE.get(service, {}).get("Actions", {})
            matching = [name for name in known if fnmatch.fnmatchcase(name, verb.lower())]
            if not matching and action not in UNLISTED:
                yield f"{sid}: there is no action {action}"
            boundless = [name for name in matching if not known[name].get("Resources")]
            if boundless and "*" not in verb and "*" not in on:
                yield f"{sid}: {action} knows no resource, so it needs *"
            if "*" in on and set(matching) - set(boundless) and action not in ON_SUBSCRIPTIONS and not conditions.strip("{}"):
                yield f"{sid}: {action} knows resources: name them"
            if action in ON_SUBSCRIPTIONS and "*" not in on:
                yield f"{sid}: {action} works on subscriptions, so it needs *"
            if action == "iam:PassRole" and "iam:PassedToService" not in conditions:
                yield f"{sid}: iam:PassRole without iam:PassedToService"
            if action == "iam:CreateServiceLinkedRole" and "iam:AWSServiceName" not in conditions:
                yield f"{sid}: iam:CreateServiceLinkedRole without iam:AWSServiceName"
            if action in BOUNDED and "iam:PermissionsBoundary" not in conditions and "CodeDeployServiceRole" not in str(on):
                yield f"{sid}: {action} without iam:PermissionsBoundary"
    characters = len(json.dumps(policy, separators=(",", ":")))
    if characters > INLINE_CHARACTERS_MAX:
        yield f"{characters} characters; an inline policy has at most {INLINE_CHARACTERS_MAX}"


def missing(policy, template):
    """What CloudFormation and SAM would be denied."""
    boundary = {"iam:PermissionsBoundary": f"arn:aws:iam::{NAMES['ACCOUNT']}:policy/{NAMES['STACK']}-boundary"}
    for kind in sorted({resource["Type"] for resource in template.resources.values()}):
        if kind not in NEEDS:
            yield f"{kind}: deploy_role_needs.py does not say what it needs"
            continue
        arn, actions = NEEDS[kind]
        for action in actions:
            if not allowed(policy, action, arn, boundary):
                yield f"{kind} needs {action} on {arn}"
    for arn, actions in [*STACK_NEEDS, *SAM_NEEDS]:
        yield from (f"the stack needs {action} on {arn}" for action in actions if not allowed(policy, action, arn))
    for service in PASSED_TO:
        name = CODE_DEPLOY_ROLE if service.startswith("codedeploy") else NEEDS["AWS::IAM::Role"][0]
        if not allowed(policy, "iam:PassRole", name, {"iam:PassedToService": service}):
            yield f"iam:PassRole to {service}"
    for action in ("iam:CreateRole", "iam:DeleteRole"):
        if not allowed(policy, action, CODE_DEPLOY_ROLE):
            yield f"{action} on {CODE_DEPLOY_ROLE}"


def excessive(policy):
    """What the role may do to what is not its stack's."""
    administrator = {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}
    role = NEEDS["AWS::IAM::Role"][0]
    for action, arn, context in [
        ("iam:PutRolePolicy", role, {}),
        ("iam:CreateRole", role, {}),
        ("iam:PutRolePolicy", CODE_DEPLOY_ROLE, {}),
        ("iam:AttachRolePolicy", role, administrator),
        ("iam:AttachRolePolicy", CODE_DEPLOY_ROLE, administrator),
        ("iam:DeleteRolePermissionsBoundary", role, {}),
        ("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"}),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/deploy-emporium-prod", {}),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:eu-central-1:123456789012:table/emporium-dev-OrdersTable-1", {}),
        ("cloudfront:UpdateFunction", "arn:aws:cloudfront::123456789012:function/emporium-staging-client-address", {}),
        ("wafv2:DeleteWebACL", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shared/0a1b", {}),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-central-1:123456789012:function:emporium-staging-place-order", {}),
    ]:
        if allowed(policy, action, arn, context):
            yield f"{action} on {arn} with {context}"


def boundary(policy, template):
    """The boundary lets functions do what their roles say, and nothing that makes roles."""
    actions = [action for statement in policy["Statement"] for action in as_list(statement["Action"])]
    for action in actions:
        if action.startswith(NEVER_IN_BOUNDARY):
            yield f"the boundary has {action}"
    for name, role in template.of("AWS::IAM::Role"):
        if "PermissionsBoundary" not in role and name != "CodeDeployServiceRole":
            yield f"{name} does not have the boundary"
        for each in role.get("Policies", []):
            for statement in as_list(each["PolicyDocument"]["Statement"]):
                for action in as_list(statement["Action"]):
                    if not any(fnmatch.fnmatchcase(action, wide) for wide in actions):
                        yield f"{name} has {action}, which the boundary does not have"
    if len(json.dumps(policy, separators=(",", ":"))) > MANAGED_CHARACTERS_MAX:
        yield f"the boundary has over {MANAGED_CHARACTERS_MAX} characters"


def findings(text, written):
    """The findings about a version of the page."""
    found, template = policies(text), Template(written, GRADUAL)
    permissions = found["permissions"]
    return [
        *mistakes(permissions),
        *(f"denied: {each}" for each in missing(permissions, template)),
        *(f"too much: {each}" for each in excessive(permissions)),
        *boundary(found["boundary"], template),
    ]


def main():
    found = findings(DOCUMENT.read_text(), read())
    for text in found:
        print(f"{DOCUMENT.name}: {text}", file=sys.stderr)
    print(f"{DOCUMENT.name}: {len(found)} findings for {len(NEEDS)} types of resources")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
