#!/usr/bin/env python3
"""Prints the API's OpenAPI document as API Gateway receives it.

    tools/api_body.py ORIGIN[,ORIGIN…] > api.json

References become names that look like those of a stack, so that `aws apigatewayv2
import-api --fail-on-warnings` can judge the document without a deployment.
"""

import json
import re
import sys

from template_model import GRADUAL, Template, read

ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "emporium-check"
PSEUDO = {"AWS::StackName": STACK, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::AccountId": ACCOUNT}


def document(template):
    """The document with every function resolved."""
    ((_, api),) = template.of("AWS::ApiGatewayV2::Api")
    return _resolved(api["Body"], template)


def _resolved(node, template):
    if isinstance(node, list):
        return [_resolved(item, template) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((function, argument),) = node.items()
        if function == "Ref":
            return PSEUDO.get(argument) or template.parameters.get(argument) or _arn(argument, template)
        if function == "Fn::GetAtt":
            return _arn(argument[0], template)
        if function == "Fn::Split":
            return _resolved(argument[1], template).split(argument[0])
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda name: PSEUDO.get(name[1]) or _arn(name[1].split(".")[0], template), argument)
    return {name: _resolved(value, template) for name, value in node.items()}


def _arn(name, template):
    kind = template.kind(name)
    if kind == "AWS::IAM::Role":
        return f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{name}"
    if kind in ("AWS::Lambda::Function", "AWS::Lambda::Alias"):
        suffix = ":live" if kind == "AWS::Lambda::Alias" else ""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{template.function_of({'Ref': name})}{suffix}"
    raise ValueError(f"the API's document refers to {name}, a {kind}")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(json.dumps(document(Template(read(), {**GRADUAL, "AllowedOrigins": sys.argv[1]})), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
