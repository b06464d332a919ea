#!/usr/bin/env python3
"""Checks template.yaml as SAM processes it: what an operator relies on is there."""

import sys
from pathlib import Path

from template_checks import ALL_AT_ONCE_CHECKS, FUNCTIONS_TO_COME, GRADUAL_CHECKS
from template_model import ALL_AT_ONCE, GRADUAL, TEMPLATE, Template, read


def findings(written, only=None):
    """Every finding, or those of one check, as (check, text)."""
    found = []
    for parameters, checks in ((GRADUAL, GRADUAL_CHECKS), (ALL_AT_ONCE, ALL_AT_ONCE_CHECKS)):
        wanted = [check for check in checks if only in (None, check.__name__)]
        template = Template(written, parameters) if wanted else None
        for check in wanted:
            found += [(check.__name__, text) for text in check(template)]
    return found


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TEMPLATE
    written = read(path)
    found = findings(written)
    for check, text in found:
        print(f"{path.name}: {check}: {text}", file=sys.stderr)
    template = Template(written, GRADUAL)
    functions = len(template.of("AWS::Lambda::Function"))
    resources = len(template.resources)
    print(
        f"{path.name}: {len(GRADUAL_CHECKS) + len(ALL_AT_ONCE_CHECKS)} checks, {len(found)} findings; "
        f"{resources} resources for {functions} functions, "
        f"{resources * FUNCTIONS_TO_COME // functions} for {FUNCTIONS_TO_COME}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
