"""Checks of the stack as a whole: who invokes what, versions, cycles, size."""

import json

from template_growth import grown
from template_model import Template, references

# CloudFormation takes 500 resources in a stack; the rest is a reserve.
RESOURCES_MAX = 450
# IAM: what the inline policies of a role may add up to.
ROLE_CHARACTERS_MAX = 10240
# What `!GetAtt Function.Arn` becomes, beside the function's name.
FUNCTION_ARN = "arn:aws:lambda:ap-southeast-2:123456789012:function:emporium-staging-"


def invocations(template):
    """API Gateway and the scheduler invoke functions in roles that allow it.

    So none needs an AWS::Lambda::Permission, which would be a resource a route.
    """
    for name, api in template.of("AWS::ApiGatewayV2::Api"):
        for path, operations in api["Body"]["paths"].items():
            for method, operation in operations.items():
                integration = operation["x-amazon-apigateway-integration"]
                yield from _invocation(template, f"{name}: {method} {path}", integration["uri"], integration.get("credentials"))
        for scheme in api["Body"]["components"]["securitySchemes"].values():
            asked = scheme["x-amazon-apigateway-authorizer"]
            yield from _invocation(template, f"{name}: authorizer", asked["authorizerUri"], asked.get("authorizerCredentials"))
    for name, schedule in template.of("AWS::Scheduler::Schedule"):
        target = schedule["Target"]
        yield from _invocation(template, name, target["Arn"], target["RoleArn"])
        if "Name" in schedule:
            yield f"{name} has the same name in every stack of the account: OmitName"
    for name, _ in template.of("AWS::Lambda::Permission"):
        yield f"{name} is a permission: let a role invoke the function"


def _invocation(template, what, target, credentials):
    invoked = {name for name in references(target) if (template.kind(name) or "").startswith("AWS::Lambda::")}
    roles_named = references(credentials)
    if not roles_named:
        yield f"{what} has no role to invoke {', '.join(sorted(invoked))}"
    for role in sorted(roles_named):
        policies = template.resources[role]["Properties"]["Policies"]
        missing = invoked - references([statement["Resource"] for policy in policies for statement in policy["PolicyDocument"]["Statement"]])
        for function in sorted(missing):
            yield f"{what}: {role} may not invoke {function}"


def aliases(template):
    """A function with an alias is only called through it, or deployment is not gradual."""
    watchers = {"AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    aliased = {template.function_of(alias["FunctionName"]) for _, alias in template.of("AWS::Lambda::Alias")}
    for name, resource in template.resources.items():
        if resource["Type"] in watchers:
            continue
        for function in sorted(references(resource) & aliased):
            yield f"{name} bypasses the alias of {function}"


def versions(template):
    """A new release publishes a version, and so does new code on its own.

    SAM compares the text of a function's properties, and `!Ref TokenIssuer` is the
    same text whatever the parameter's value. Without Release an alias would keep
    the old settings.
    """

    def of(processed):
        return {name for name, _ in processed.of("AWS::Lambda::Version")}

    released = of(template.again(Release="0123456789"))
    for name in sorted(released & of(template.again(Release="9876543210"))):
        yield f"{name} is not published anew with another Release"
    for name in sorted(of(template) & of(template.again(bucket="newer"))):
        yield f"{name} is not published anew with other code"
    for name, function in template.of("AWS::Lambda::Function"):
        if function.get("Environment", {}).get("Variables", {}).get("RELEASE") != {"Ref": "Release"}:
            yield f"{name} is not replaced with another Release"


def cycles(template):
    """No resource depends on itself: CloudFormation would refuse the template."""
    edges = {name: references(resource) & template.resources.keys() for name, resource in template.resources.items()}
    done = set()

    def walk(name, path):
        if name in path:
            yield " depends on ".join([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(edges[name]):
                yield from walk(other, [*path, name])
            done.add(name)

    for name in edges:
        yield from walk(name, [])


def size(template):
    """With everything that is planned it is still one stack, and a role is still a role."""
    planned = Template(grown(template.written), template.parameters)
    if len(planned.resources) > RESOURCES_MAX:
        yield f"{len(planned.resources)} resources with everything that is planned, over {RESOURCES_MAX}"
    for name, role in planned.of("AWS::IAM::Role"):
        characters = sum(len(_spelled_out(policy["PolicyDocument"])) for policy in role.get("Policies", []))
        if characters > ROLE_CHARACTERS_MAX:
            yield f"{name} has policies of {characters} characters, over {ROLE_CHARACTERS_MAX}"


def _spelled_out(node):
    """A policy as IAM counts it: without white space, with ARNs for references."""
    if isinstance(node, dict) and len(node) == 1 and next(iter(node)) in ("Ref", "Fn::GetAtt", "Fn::Sub"):
        return f'"{FUNCTION_ARN}{"".join(sorted(references(node)))}"'
    if isinstance(node, dict):
        return "{" + ",".join(f"{_spelled_out(key)}:{_spelled_out(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_spelled_out, node)) + "]"
    return json.dumps(node)


def no_code_deploy(template):
    """Without gradual deployment there is nothing of CodeDeploy."""
    for name, resource in template.resources.items():
        if resource["Type"].startswith("AWS::CodeDeploy::"):
            yield f"{name} exists although nothing is deployed gradually"
