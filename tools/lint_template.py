#!/usr/bin/env python3
"""Checks template.yaml, as processed by SAM, for what an operator relies on."""

import sys
from pathlib import Path

from template_checks import ALL_AT_ONCE_CHECKS, GRADUAL_CHECKS
from template_growth import FUNCTIONS, grown
from template_model import ALL_AT_ONCE, GRADUAL, TEMPLATE, Template, read


def findings(written, only=None):
    """The findings of all checks or of one, each as (check, text)."""
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
    planned = len(Template(grown(written), GRADUAL).resources)
    print(
        f"{path.name}: {len(GRADUAL_CHECKS) + len(ALL_AT_ONCE_CHECKS)} checks, {len(found)} findings; "
        f"{len(template.resources)} resources for {functions} functions, {planned} for the {FUNCTIONS} planned"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
