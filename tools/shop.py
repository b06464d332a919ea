"""A small HTTP client for the shop's public API, shared by seed.py and demo.py.

It depends only on the standard library, so that `make seed` and `make demo` run on
any machine, and implements the conventions of docs/api.md: the success envelope,
problem+json, cursor pagination and Retry-After.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import json
import os
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.message import Message
from typing import Any

Json = Any

TIMEOUT_S = 15.0
# Six attempts with the delays below outlast a throttled minute; longer outages
# need a human.
ATTEMPTS_MAX = 6
WAIT_S_MAX = 30.0
# The API's own maximum, so that paging takes the fewest requests.
PAGE_LIMIT = 100

# Requests with these methods can be repeated whether or not they took effect.
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Reply:
    """A reply of the shop, whatever its status."""

    method: str
    path: str
    status: int
    headers: Message
    body: Json

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def data(self) -> Json:
        """The resource inside the success envelope."""
        return self.body.get("data") if isinstance(self.body, dict) else None

    @property
    def code(self) -> str | None:
        """The stable error code of a problem."""
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page of a list."""
        return self._pagination.get("nextCursor")

    @property
    def has_more(self) -> bool | None:
        """Whether a list has another page; None if the reply is not a list."""
        return self._pagination.get("hasMore")

    @property
    def _pagination(self) -> dict[str, Any]:
        meta = self.body.get("meta") if isinstance(self.body, dict) else None
        return (meta or {}).get("pagination") or {}

    def header(self, name: str) -> str:
        """The value of a header, or an empty string."""
        return self.headers.get(name) or ""

    def pick(self, path: str) -> Json:
        """A part of the data by its dotted path, or None if it is missing."""
        value = self.data
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value


class ShopError(Exception):
    """The shop replied with an error."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(self._text())

    def _text(self) -> str:
        reply = self.reply
        text = f"{reply.method} {reply.path} -> {reply.status}"
        if not isinstance(reply.body, dict):
            return f"{text} {reply.body}" if reply.body else text
        parts = [str(reply.body[key]) for key in ("code", "detail") if reply.body.get(key)]
        # Replies of a gateway or proxy in front of the shop are not problem+json.
        if not parts and reply.body.get("message"):
            parts = [str(reply.body["message"])]
        for error in reply.body.get("errors") or []:
            parts.append(f"[{error.get('field')}: {error.get('message')}]")
        return " ".join([text, *parts])


class Unreachable(Exception):
    """There was no reply, so it is unknown whether the request took effect."""

    def __init__(self, method: str, url: str, reason: object) -> None:
        super().__init__(f"{method} {url}: no reply ({reason})")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Returns redirects to the caller: urllib would turn a redirected POST into a GET."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Shop:
    """A shop at a base URL. It can be used from several threads."""

    def __init__(self, base_url: str, internal_key: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urllib.parse.urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"BASE_URL must be an http or https URL, not {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self._internal_key = internal_key
        self._timeout_s = timeout_s
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if _is_loopback(parts.hostname):
            # A proxy from the environment cannot reach the ports of this machine.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    @classmethod
    def from_environment(cls) -> Shop:
        """The shop selected by BASE_URL and INTERNAL_KEY; by default the local one."""
        return cls(
            os.environ.get("BASE_URL") or "http://127.0.0.1:3000",
            os.environ.get("INTERNAL_KEY") or "local-internal-key",
        )

    def send(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        internal: bool = False,
    ) -> Reply:
        """Sends a request and returns the reply, whatever its status.

        Retries a limited number of times while the shop rejects the request
        temporarily. Raises `Unreachable` if there is no reply at all.
        """
        if query:
            path = f"{path}?{urllib.parse.urlencode(query)}"
        all_headers = {"Accept": "application/json", "User-Agent": "emporium-tools", **(headers or {})}
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        if internal:
            all_headers["X-Internal-Key"] = self._internal_key
        payload = None
        if body is not None:
            payload = json.dumps(body, default=_number).encode()
            all_headers["Content-Type"] = "application/json"

        for attempt in range(1, ATTEMPTS_MAX + 1):
            reply = self._once(method, path, payload, all_headers)
            wait_s = _wait_s(reply, attempt)
            if wait_s is None or attempt == ATTEMPTS_MAX:
                break
            time.sleep(wait_s)
        return reply

    def call(self, method: str, path: str, body: Json = None, **options: Any) -> Reply:
        """Like `send`, but raises `ShopError` unless the reply is a success."""
        reply = self.send(method, path, body, **options)
        if not reply.ok:
            raise ShopError(reply)
        return reply

    def pages(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[Json]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            parameters = dict(query or {}) | ({"cursor": cursor} if cursor else {})
            reply = self.call("GET", path, query=parameters)
            yield from reply.data
            cursor = reply.next_cursor
            if not cursor:
                return

    def mailbox(self, to: str) -> list[Json] | None:
        """The mails sent to an address, newest first; None if the shop has no mailbox."""
        reply = self.send("GET", "/_local/mailbox", query={"to": to})
        if reply.status == 404:
            return None
        if not reply.ok:
            raise ShopError(reply)
        return list(reply.body)

    def verify(self, address: str, token: str) -> None:
        """Follows the link that was sent to an address, in a session; nothing without a mailbox."""
        found = [re.search(r"token=([\w-]+)", mail.get("text") or "") for mail in self.mailbox(address) or []]
        for match in [match for match in found if match][:1]:
            self.call("POST", "/api/auth/verify-email", {"token": match[1]}, token=token)

    def _once(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Reply:
        url = self.base_url + path
        request = urllib.request.Request(url, data=payload, headers=headers, method=method)
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout_s)
            except urllib.error.HTTPError as error:
                response = error  # A reply like any other; urllib raises for statuses above 299.
            with response:
                return Reply(method, path, response.status, response.headers, _parse(response.read()))
        except urllib.error.URLError as error:
            raise Unreachable(method, url, error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(method, url, error or type(error).__name__) from error


def _wait_s(reply: Reply, attempt: int) -> float | None:
    """How long to wait before the next attempt, or None if the reply is final."""
    asked = reply.header("Retry-After")
    if reply.status == 503 and not asked and reply.method not in REPEATABLE:
        # The shop's own 503 has Retry-After and no effect. One without it comes from
        # a gateway whose function timed out, perhaps after it had written, so that
        # repeating a POST could create a duplicate.
        return None
    if reply.status not in (429, 503):
        return None
    wait_s = _retry_after_s(asked)
    if wait_s is None:
        wait_s = 0.25 * 2 ** (attempt - 1)
    if wait_s > WAIT_S_MAX:
        return None
    # Workers that are rejected together should not retry together.
    return wait_s + random.uniform(0, 0.25)


def _retry_after_s(value: str) -> float | None:
    """Retry-After is seconds or a date (RFC 9110, section 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _number(value: object) -> float:
    # A float prints as its shortest decimal representation, so that prices of up
    # to fifteen digits are sent exactly.
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _parse(raw: bytes) -> Json:
    """The body as JSON with exact decimals, or as text if it is not JSON."""
    if not raw:
        return None
    text = raw.decode("utf-8", errors="replace")
    try:
        return json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError:
        return text[:500]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
