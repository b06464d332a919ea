#!/usr/bin/env python3
"""Deploys the template to an emulated AWS and runs the black-box tests there.

The emulator is ministack, on loopback, with IAM enforced; the functions are
the release binaries of `make build`. Afterwards the calls that each function
made are compared with what its role grants.

    make cloud-test             all of it
    make cloud-test ONLY=stock  tests with that in their name, no comparison
    make cloud-test KEEP=1      deploy, say where, and wait for Ctrl-C
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from cloud import grants, late, mailbox
from cloud.stack import REGION, Stack
from processes import free_port, running

ROOT = Path(__file__).resolve().parent.parent
#: How long the emulator may take to start.
STARTED_WITHIN_SECONDS = 60
#: How long the tests may take.
TESTS_WITHIN_SECONDS = 1800
#: Concurrent requests of the tests. The emulator is one Python process, which
#: starts another process for each concurrent invocation.
REQUESTS_AT_ONCE = "6"
#: The template's parameters. The emulator does not support alarms on metric math;
#: `make lint-template` checks those.
PARAMETERS = {
    "Alarms": "off",
    "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
    "DeletionProtection": "off",
    "AllowedOrigins": "http://localhost:5173",
    # All requests of the tests come from one address.
    "AuthRequestsPerIp": "100000",
    "OpenOrdersPerPerson": "1000",
    "OrdersPerMinute": "100000",
    # Most of their accounts do not verify their address.
    "UnverifiedShelfPercent": "100",
}


def environment(endpoint: str, port: int, data: Path) -> dict[str, str]:
    """The environment of the emulator and of the tools that talk to it.

    The endpoint is set before the emulator starts because its functions inherit
    it: without it they would call AWS.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MINISTACK_")) and name not in {"PORT", "BASE_URL"}
    }
    return kept | {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "tools"),
        "SAM_CLI_TELEMETRY": "0",
        "TMPDIR": str(data),
    }


def await_answer(endpoint: str, emulator: subprocess.Popen) -> None:
    """Waits until the emulator responds."""
    until = time.monotonic() + STARTED_WITHIN_SECONDS
    while time.monotonic() < until:
        if emulator.poll() is not None:
            sys.exit(f"the emulator exited with {emulator.returncode}")
        try:
            urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the emulator did not start")


def test_binary() -> str:
    """Builds the black-box tests as `make test` does; their executable."""
    command = ["cargo", "test", "--workspace", "--test", "shop", "--no-run"]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and "shop-tests" in message["package_id"]:
            return message["executable"]
    sys.exit("cargo built no black-box tests")


def run_tests(tests: str, base: str, key: str, mails: str) -> int:
    """Runs the black-box tests against the deployed shop."""
    env = {name: value for name, value in os.environ.items() if name != "PORT"}
    env |= {"BASE_URL": base, "INTERNAL_KEY": key, "MAILBOX_URL": mails}
    env |= {"REQUESTS_AT_ONCE": REQUESTS_AT_ONCE}
    command = [tests, "--test-threads", os.environ.get("TEST_THREADS", "3")]
    command += [os.environ["ONLY"]] if os.environ.get("ONLY") else []
    tests_run = subprocess.run(command, cwd=ROOT / "tests", env=env, timeout=TESTS_WITHIN_SECONDS)
    return tests_run.returncode


def compare(stack: Stack, calls: Path) -> int:
    """Compares grants with calls; the number of differences."""
    allowed, denied = grants.called(calls)
    granted = grants.granted(stack)
    wrong = grants.differences(granted, allowed, denied, grants.by_triggers(stack))
    used = sum(len(made) for made in allowed.values())
    print(f"IAM: {len(granted)} roles, {used} different calls, {len(wrong)} differences")
    for difference in wrong:
        print(f"  {difference}")
    if used == 0:
        print("  no call was recorded: the comparison proves nothing")
    return len(wrong) + (used == 0)


def deployed(stack: Stack, env: dict[str, str], calls: Path) -> int:
    """Deploys, tests and compares; the exit code."""
    tests = test_binary()
    begun = time.monotonic()
    stack.deploy(ROOT, env, PARAMETERS)
    api, routes = stack.complete(PARAMETERS)
    print(f"deployed in {time.monotonic() - begun:.0f} s, {routes} routes created", flush=True)
    box = mailbox.serve(stack.endpoint)
    mails = f"http://127.0.0.1:{box.server_port}"
    base = f"{stack.endpoint}/_aws/execute-api/{api}/$default"
    key = stack.secret("InternalKeySecret")
    try:
        if os.environ.get("KEEP"):
            print(f"BASE_URL='{base}' INTERNAL_KEY='{key}' MAILBOX_URL='{mails}'", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
            compare(stack, calls)
            return 0
        failed = run_tests(tests, base, key, mails)
        if os.environ.get("ONLY"):
            return failed
        if not failed:
            print(f"{late.run(stack, ROOT / 'events')} kinds of scheduled work were done")
        return 1 if compare(stack, calls) or failed else 0
    finally:
        box.shutdown()


def main() -> int:
    """Runs it all; the exit code."""
    # Terminating this process terminates the emulator as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not (ROOT / "target/lambda/place-order/bootstrap").exists():
        sys.exit("no release binaries: run `make build` first")
    port = free_port()
    stack = Stack(name="emporium", endpoint=f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="emporium-cloud-") as folder:
        data = Path(folder)
        calls, env = data / "calls.jsonl", environment(stack.endpoint, port, data)
        calls.touch()
        log = Path(os.environ.get("CLOUD_LOG", ROOT / "target/cloud-test.log"))
        command = [sys.executable, "-m", "cloud.emulator", str(calls)]
        with log.open("wb") as output, running(
            command, env=env, stdout=output, stderr=output
        ) as emulator:
            print(f"the emulator's log: {log}")
            await_answer(stack.endpoint, emulator)
            return deployed(stack, env, calls)


if __name__ == "__main__":
    sys.exit(main())
