"""A small HTTP client for the shop's public API, shared by the scripts beside it.

It needs nothing but the standard library, so that `make seed` and `make demo`
run on a bare machine, and it knows the conventions of docs/api.md: the success
envelope, problem+json, cursor pages and Retry-After.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import json
import os
import random
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
# Six tries with the waits below outlast a throttled minute; a shop that refuses
# for longer than that needs a human more than another try.
TRIES_MAX = 6
WAIT_S_MAX = 30.0
# The API's own ceiling, so that paging costs the fewest requests.
PAGE_LIMIT = 100

# A refused try of one of these can be repeated without asking what became of it.
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Reply:
    """What the shop answered, whatever its status."""

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
        """Where the next page of a list begins."""
        return self._pagination.get("nextCursor")

    @property
    def has_more(self) -> bool | None:
        """Whether a list goes on; None where the reply is no list."""
        return self._pagination.get("hasMore")

    @property
    def _pagination(self) -> dict[str, Any]:
        meta = self.body.get("meta") if isinstance(self.body, dict) else None
        return (meta or {}).get("pagination") or {}

    def header(self, name: str) -> str:
        """The header's value, or an empty string where there is none."""
        return self.headers.get(name) or ""

    def pick(self, path: str) -> Json:
        """A part of the data by its dotted path, or None where it is not."""
        value = self.data
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value


class ShopError(Exception):
    """The shop answered, but not with success."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(self._text())

    def _text(self) -> str:
        reply = self.reply
        text = f"{reply.method} {reply.path} -> {reply.status}"
        if not isinstance(reply.body, dict):
            return f"{text} {reply.body}" if reply.body else text
        parts = [str(reply.body[key]) for key in ("code", "detail") if reply.body.get(key)]
        # Replies from in front of the shop (a gateway, a proxy) are no problem+json.
        if not parts and reply.body.get("message"):
            parts = [str(reply.body["message"])]
        for error in reply.body.get("errors") or []:
            parts.append(f"[{error.get('field')}: {error.get('message')}]")
        return " ".join([text, *parts])


class Unreachable(Exception):
    """No answer came: whether the request was carried out is unknown."""

    def __init__(self, method: str, url: str, reason: object) -> None:
        super().__init__(f"{method} {url}: no answer ({reason})")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Hands a redirect to the caller: urllib would turn a redirected POST into a GET."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Shop:
    """One shop at one base URL. Safe to use from several threads."""

    def __init__(self, base_url: str, internal_key: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urllib.parse.urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"BASE_URL must be an http or https URL, not {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self._internal_key = internal_key
        self._timeout_s = timeout_s
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if _is_loopback(parts.hostname):
            # A proxy from the environment cannot see this machine's own ports.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    @classmethod
    def from_environment(cls) -> Shop:
        """The shop that BASE_URL and INTERNAL_KEY name; by default the local process."""
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
        """Sends one request and gives the reply whatever its status.

        Waits and tries again, a bounded number of times, while the shop says
        that it refused the request for the time being. Raises `Unreachable`
        when there is no reply at all.
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

        for attempt in range(1, TRIES_MAX + 1):
            reply = self._once(method, path, payload, all_headers)
            wait_s = _wait_s(reply, attempt)
            if wait_s is None or attempt == TRIES_MAX:
                break
            time.sleep(wait_s)
        return reply

    def call(self, method: str, path: str, body: Json = None, **options: Any) -> Reply:
        """Like `send`, but raises `ShopError` on anything that is not success."""
        reply = self.send(method, path, body, **options)
        if not reply.ok:
            raise ShopError(reply)
        return reply

    def pages(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[Json]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            asked = dict(query or {}) | ({"cursor": cursor} if cursor else {})
            reply = self.call("GET", path, query=asked)
            yield from reply.data
            cursor = reply.next_cursor
            if not cursor:
                return

    def mailbox(self, to: str) -> list[Json] | None:
        """The mail somebody was sent, newest first; None where the shop sends it by real post."""
        reply = self.send("GET", "/_local/mailbox", query={"to": to})
        if reply.status == 404:
            return None
        if not reply.ok:
            raise ShopError(reply)
        return list(reply.body)

    def _once(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Reply:
        url = self.base_url + path
        request = urllib.request.Request(url, data=payload, headers=headers, method=method)
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout_s)
            except urllib.error.HTTPError as error:
                response = error  # An answer like any other; urllib raises those above 299.
            with response:
                return Reply(method, path, response.status, response.headers, _parse(response.read()))
        except urllib.error.URLError as error:
            raise Unreachable(method, url, error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(method, url, error or type(error).__name__) from error


def _wait_s(reply: Reply, attempt: int) -> float | None:
    """How long to wait before the next try, or None when the reply stands."""
    asked = reply.header("Retry-After")
    if reply.status == 503 and not asked and reply.method not in REPEATABLE:
        # The shop's own refusals carry Retry-After and have kept nothing. A bare
        # 503 comes from a gateway whose function ran out of time, perhaps after
        # it had written: repeating a create then could make two.
        return None
    if reply.status not in (429, 503):
        return None
    wait_s = _retry_after_s(asked)
    if wait_s is None:
        wait_s = 0.25 * 2 ** (attempt - 1)
    if wait_s > WAIT_S_MAX:
        return None
    # Several workers are refused together; they should not all come back together.
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
    # A float prints as the shortest decimal that names it, so a price of up to
    # fifteen digits leaves here exactly as it came in.
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _parse(raw: bytes) -> Json:
    """The body as JSON with exact decimals; as text where it is something else."""
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
