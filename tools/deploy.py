#!/usr/bin/env python3
"""Deploys the built binaries: `sam deploy` with the parameters of an environment.

    tools/deploy.py ENVIRONMENT [Name=value …]

Parameters on the command line make SAM ignore all of those in samconfig.toml. This
merges the two, passes the template's defaults as well (SAM would keep the values of
the last deployment), refuses what would make a public shop unsafe, and adds Release: a
hash of template, binaries and parameters, so that any difference is deployed.

A stack that does not exist yet is deployed in two steps: first without deletion
protection and all at once, so that a failure can roll back; then as asked for.
"""

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import boto3
import botocore.exceptions

# Before `template_model`, which sets a region for SAM's transform.
NAMED, CONFIGURED = os.environ.get("AWS_REGION"), boto3.Session().region_name

from deploy_rules import (  # noqa: E402
    DEVELOPMENT,
    SANDBOX_PAYMENTS,
    DeployError,
    concurrency_faults,
    edge_dropped,
    edge_faults,
    filter_changes,
    forbidden,
    index_changes,
    returning,
    warnings,
)
from template_model import TEMPLATE, read, yaml_parse  # noqa: E402

ROOT = TEMPLATE.parent
RELEASE_DIGITS = 10
# What keeps a failed creation from rolling back.
FIRST = {"DeletionProtection": "off", "Deployment": "AllAtOnce"}
# A stack in these states cannot be updated; what the operator has to do first.
BLOCKED = {
    "ROLLBACK_COMPLETE": "its creation failed: aws cloudformation delete-stack --stack-name {stack}",
    "ROLLBACK_FAILED": "its creation and the roll-back failed: aws cloudformation delete-stack --stack-name {stack}",
    "UPDATE_ROLLBACK_FAILED": "a roll-back failed: aws cloudformation continue-update-rollback --stack-name {stack}",
    "DELETE_FAILED": "its deletion failed: aws cloudformation delete-stack --stack-name {stack}",
}
# A change set was made but never executed: there is no resource yet.
NOT_CREATED = {None, "REVIEW_IN_PROGRESS"}


def pairs(texts):
    """`Name=value` texts as a dict."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DeployError(f"{text} is not Name=value")
        found[name] = value
    return found


def parameters(config, environment, given, known):
    """The parameters of an environment, overridden by those given."""
    if environment not in config or "deploy" not in config[environment]:
        listed = ", ".join(name for name in config if name != "version")
        raise DeployError(f"samconfig.toml has no environment {environment}, only {listed}")
    written = config[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    pinned = pairs(written)
    joined = {**pinned, **pairs(given)}
    sandbox_accepted = joined.pop(SANDBOX_PAYMENTS, None) == "accepted"
    for name in joined:
        if name not in known:
            raise DeployError(f"template.yaml has no parameter {name}")
    effective = with_defaults(joined, known)
    if environment != DEVELOPMENT and joined.get("Architecture") != pinned.get("Architecture"):
        raise DeployError(f"Architecture is {joined.get('Architecture')}, but samconfig.toml has {pinned.get('Architecture')}")
    found = list(forbidden(environment, stack_of(config, environment), effective, sandbox_accepted))
    if found:
        raise DeployError("\n".join(found))
    return joined


def with_defaults(chosen, known):
    """The values of all parameters."""
    return {name: str(parameter.get("Default", "")) for name, parameter in known.items()} | chosen


def stack_of(config, environment):
    """The stack's name."""
    return config[environment]["global"]["parameters"]["stack_name"]


def region(named, configured):
    """Where to deploy: boto3 and SAM do not read AWS_REGION, which the CLI prefers."""
    if named and configured and named != configured:
        raise DeployError(f"AWS_REGION is {named}, but AWS_DEFAULT_REGION or the profile says {configured}")
    if not (named or configured):
        raise DeployError("set AWS_REGION: there is no region to deploy to")
    return named or configured


def existing(stack, where):
    """The status of a stack and its parameters, or None if there is none."""
    try:
        found = boto3.client("cloudformation", region_name=where).describe_stacks(StackName=stack)["Stacks"]
    except botocore.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None, {}
        raise DeployError(f"cannot look up the stack {stack}: {error}") from error
    except botocore.exceptions.BotoCoreError as error:
        raise DeployError(f"cannot look up the stack {stack}: {error}") from error
    values = {each["ParameterKey"]: each["ParameterValue"] for each in found[0].get("Parameters", [])}
    return found[0]["StackStatus"], values


def quota_of(where):
    """The account's concurrent executions, or None if the role may not look them up."""
    try:
        return boto3.client("lambda", region_name=where).get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except botocore.exceptions.ClientError:
        return None


def deployed(stack, where):
    """The template that a stack was last deployed from."""
    body = boto3.client("cloudformation", region_name=where).get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return yaml_parse(body) if isinstance(body, str) else body


def reserving(template):
    """The number of functions that ReservedConcurrency applies to."""
    return sum("ReservedConcurrentExecutions" in resource.get("Properties", {}) for resource in template["Resources"].values())


def steps(stack, state, chosen):
    """The deployments that lead to these parameters, in order."""
    if state in BLOCKED:
        raise DeployError(f"stack {stack} is in {state}; " + BLOCKED[state].format(stack=stack))
    first = {**chosen, **FIRST}
    return [first, chosen] if state in NOT_CREATED and first != chosen else [chosen]


def release(chosen, template, binaries):
    """Ten hexadecimal digits that identify what would be deployed."""
    if not binaries:
        raise DeployError("target/lambda/ has no binaries: run `make build`")
    digest = hashlib.sha256(template.read_bytes())
    for name in sorted(chosen):
        digest.update(f"{name}={chosen[name]}\n".encode())
    for binary in sorted(binaries):
        digest.update(binary.parent.name.encode())
        digest.update(hashlib.sha256(binary.read_bytes()).digest())
    return digest.hexdigest()[:RELEASE_DIGITS]


def command(environment, where, chosen):
    """The SAM command."""
    overrides = [f'{name}="{value}"' for name, value in chosen.items()]
    sam = str(Path(sys.executable).with_name("sam"))
    return [
        *(sam, "deploy", "--template-file", "template.yaml", "--config-env", environment, "--region", where),
        *("--parameter-overrides", *overrides),
    ]


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    environment, given = sys.argv[1], sys.argv[2:]
    try:
        config = tomllib.loads((ROOT / "samconfig.toml").read_text())
        template = read()
        chosen = parameters(config, environment, given, template["Parameters"])
        # The same release in both steps: the second publishes no new version.
        if "Release" not in chosen:
            chosen["Release"] = release(chosen, TEMPLATE, list(ROOT.glob("target/lambda/*/bootstrap")))
        stack, where = stack_of(config, environment), region(NAMED, CONFIGURED)
        (state, values), quota = existing(stack, where), quota_of(where)
        effective = with_defaults(chosen, template["Parameters"])
        faults = [*edge_faults(where, effective), *edge_dropped(values, chosen), *(concurrency_faults(effective, reserving(template), quota) if quota else [])]
        if faults:
            raise DeployError("\n".join(faults))
        planned = steps(stack, state, effective)
        before = {"Resources": {}} if state in NOT_CREATED else deployed(stack, where)
        too_many = list(index_changes(before, template))
        if too_many:
            raise DeployError("\n".join(too_many))
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    for text in [*warnings(environment, effective, quota), *returning(values, chosen, effective), *filter_changes(before, template)]:
        print(f"warning: {text}", flush=True)
    print(f"{environment}: release {chosen['Release']} to {stack} in {where}", flush=True)
    for number, step in enumerate(planned, start=1):
        if len(planned) > 1:
            print(f"step {number} of {len(planned)}: " + ", ".join(f"{name}={step.get(name)}" for name in FIRST), flush=True)
        code = subprocess.run(command(environment, where, step), cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
