#!/usr/bin/env python3
"""Deploys the built binaries: `sam deploy` with the parameters of an environment.

    tools/deploy.py ENVIRONMENT [Name=value …]

Parameters on the command line make SAM ignore all of those in samconfig.toml. This
merges the two, and adds Release: a hash of template, binaries and parameters, so
that any difference is deployed.
"""

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

from template_model import TEMPLATE, read

ROOT = TEMPLATE.parent
RELEASE_DIGITS = 10
# Sends no mail; any other environment needs a sender address of its own.
WITHOUT_MAIL = "dev"


class DeployError(Exception):
    """The request cannot be deployed."""


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
    joined = {**pairs(written), **pairs(given)}
    for name in joined:
        if name not in known:
            raise DeployError(f"template.yaml has no parameter {name}")
    sender = joined.get("MailFrom", "shop@example.com")
    if environment != WITHOUT_MAIL and sender.endswith("@example.com"):
        raise DeployError(f"MailFrom is {sender}: set a sender of your own in samconfig.toml, or with PARAMETERS=MailFrom=…")
    return joined


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


def command(environment, chosen):
    """The SAM command."""
    overrides = [f'{name}="{value}"' for name, value in chosen.items()]
    sam = str(Path(sys.executable).with_name("sam"))
    return [sam, "deploy", "--template-file", "template.yaml", "--config-env", environment, "--parameter-overrides", *overrides]


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    environment, given = sys.argv[1], sys.argv[2:]
    try:
        config = tomllib.loads((ROOT / "samconfig.toml").read_text())
        chosen = parameters(config, environment, given, read()["Parameters"])
        if "Release" not in chosen:
            chosen["Release"] = release(chosen, TEMPLATE, list(ROOT.glob("target/lambda/*/bootstrap")))
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{environment}: release {chosen['Release']}", flush=True)
    return subprocess.run(command(environment, chosen), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
