#!/usr/bin/env python3
"""Prints the template's web ACL as `aws wafv2 create-web-acl --cli-input-json` takes it.

    tools/edge_acl.py STACK > acl.json

For stacks outside us-east-1, where CloudFormation cannot create it for them.
"""

import json
import sys

from template_model import read


def request(written, stack):
    """The parameters of the call."""
    properties = written["Resources"]["EdgeAcl"]["Properties"]
    return {**properties, "Name": properties["Name"]["Fn::Sub"].replace("${AWS::StackName}", stack)}


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(json.dumps(request(read(), sys.argv[1]), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
