#!/usr/bin/env python3
"""Runs the binary of one function with its sample event.

The binary runs under AWS's Lambda runtime interface emulator, as with
`sam local invoke` but without Docker. It uses the tables, topics, queues and
secrets of a running `make dev` (BASE_URL), or of a shop started for the purpose.

    tools/invoke.py place-order                 with events/place-order.json
    tools/invoke.py place-order my-event.json   with another event
    tools/invoke.py --all                       every function, one after another
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from processes import free_port, running

ROOT = Path(__file__).resolve().parent.parent
BINARIES = Path(os.environ.get("BINARIES", ROOT / "target/lambda"))
LOCAL = ROOT / "target/debug/emporium-local"
#: How long the shop or the emulator may take to start.
STARTED_WITHIN_SECONDS = 30
#: How long an invocation may take; longer than any function's timeout.
INVOKED_WITHIN_SECONDS = 35
#: The statuses of replies to sample events: success, or not found in this shop.
EXPECTED_STATUS = {200, 201, 202, 204, 404}
#: Sample events that refer to something a new shop does not have, for which the
#: reply is not 404: its status, and the reason that it must contain.
MISSING = {
    "create-product": (422, "/categoryId"),
    "place-order": (422, "/items/0/productId"),
    "refresh-tokens": (401, "invalid_refresh_token"),
    "reset-password": (422, "invalid_token"),
    "verify-email": (422, "invalid_token"),
    "verify-token": (401, "token_invalid"),
}
#: The sample message about a mail that a new shop does not have: it must be
#: reported as failed, so that the queue keeps it.
FAILING = {"deliver-email"}
#: Invoked first, because other sample events depend on them.
FIRST = ["register-user"]


class Failed(Exception):
    """There is no reply, for this reason."""


def emulator() -> Path:
    """AWS's runtime interface emulator, from the SAM CLI's package."""
    package = find_spec("samcli")
    if package is None or package.origin is None:
        raise Failed("the SAM CLI is not installed: run through `make invoke`")
    machine = {"aarch64": "arm64", "arm64": "arm64"}.get(os.uname().machine, "x86_64")
    return Path(package.origin).parent / f"local/rapid/aws-lambda-rie-{machine}"


def get(url: str):
    """A JSON document."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def until_it_answers(url: str, process: subprocess.Popen, data: bytes | None = None) -> bytes:
    """The reply of a process, as soon as it replies."""
    until = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            request = urllib.request.Request(url, data=data)
            with urllib.request.urlopen(request, timeout=INVOKED_WITHIN_SECONDS) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.read()
        except (urllib.error.URLError, ConnectionError) as error:
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"{url} does not answer: {error}") from error
            time.sleep(0.02)


@contextlib.contextmanager
def shop() -> Iterator[str]:
    """The address of a running shop, or of one started for this."""
    given = os.environ.get("BASE_URL")
    if given and "--all" not in sys.argv:
        with contextlib.suppress(OSError):
            get(f"{given}/_local/state")
            yield given
            return
    if not LOCAL.exists():
        raise Failed("no shop is running and none has been built: run `make dev` in another terminal")
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        env = {**os.environ, "PORT": "0", "RUST_LOG": "off"}
        command = [str(LOCAL), "--ephemeral", "--ready-file", str(ready)]
        with running(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            until = time.monotonic() + STARTED_WITHIN_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise Failed("the shop did not start")
                time.sleep(0.02)
            yield json.loads(ready.read_text())["url"]


def invoke(name: str, event: Path, base: str) -> dict:
    """Invokes a function's binary once; its reply."""
    binary = BINARIES / name / "bootstrap"
    if not binary.exists():
        raise Failed(f"{binary} does not exist: run `make build`")
    variables = get(f"{base}/_local/environment?function={name}")
    invocations, runtime = free_port(), free_port()
    command = [
        str(emulator()),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{invocations}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime}"),
        str(binary),
    ]
    url = f"http://127.0.0.1:{invocations}/2015-03-31/functions/function/invocations"
    env = {"PATH": os.environ["PATH"], **variables}
    log = None if os.environ.get("VERBOSE") else subprocess.DEVNULL
    with running(command, env=env, stdout=log, stderr=log) as process:
        return json.loads(until_it_answers(url, process, event.read_bytes()))


def verdict(name: str, reply: object) -> str | None:
    """What is wrong with a reply to a sample event, if anything."""
    if not isinstance(reply, dict):
        return None
    if "errorType" in reply:
        return f"{reply['errorType']}: {reply.get('errorMessage')}"
    status = reply.get("statusCode", 200)
    if name in MISSING:
        expected, reason = MISSING[name]
        as_expected = status == expected and reason in reply["body"]
        return None if as_expected else f"expected {expected} with {reason}: {reply}"
    if status not in EXPECTED_STATUS:
        return f"{status}: {reply.get('body')}"
    failures = reply.get("batchItemFailures", [])
    if bool(failures) != (name in FAILING):
        return f"items failed: {failures}"
    return None


def all_functions(base: str) -> int:
    """Invokes every function with its sample event; the exit code."""
    named = {path.stem for path in (ROOT / "events").glob("*.json")}
    names = FIRST + sorted(named - set(FIRST))
    failed = 0
    for name in names:
        try:
            reply = invoke(name, ROOT / f"events/{name}.json", base)
            wrong = verdict(name, reply)
        except Failed as error:
            wrong = str(error)
        failed += wrong is not None
        status = reply.get("statusCode", "") if isinstance(reply, dict) and not wrong else ""
        print(f"{'ok    ' if wrong is None else 'FAILED'} {name} {wrong or status}", flush=True)
    print(f"{len(names)} functions invoked, {failed} failed")
    return 1 if failed or not names else 0


def main() -> int:
    """The exit code."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with shop() as base:
        if sys.argv[1] == "--all":
            return all_functions(base)
        name = sys.argv[1]
        event = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / f"events/{name}.json"
        reply = invoke(name, event, base)
        print(json.dumps(reply, indent=2))
        return 1 if verdict(name, reply) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"invoke: {error}")
