#!/usr/bin/env python3
"""Demonstrates a running shop step by step, and checks every step.

    BASE_URL=https://… INTERNAL_KEY=… python3 tools/demo.py

Everything it creates has a unique name, so it can be repeated and run next to real
data. It leaves two categories, three products, three accounts and two orders. Exits
with status 1 at the first check that fails.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from shop import Json, Reply, Shop, ShopError, Unreachable

# The promise: how long an order takes to be confirmed, by its own history.
CONFIRMED_WITHIN = timedelta(seconds=5)
# How long to wait for anything asynchronous, and how often to look.
DEADLINE_S = 60.0
POLL_S = 0.2

ADDRESS = {"name": "Bo Lindqvist", "line1": "14 Harbour Street", "line2": "Second floor"}
ADDRESS |= {"city": "Portland", "state": "ME", "postalCode": "04101", "country": "US"}


class CheckFailed(Exception):
    """The shop did not do what it should."""


@dataclass(frozen=True)
class Person:
    """A registered user with a session."""

    id: str
    email: str
    token: str
    refresh_token: str


class Demo:
    """Sends requests, describes them, and compares the replies with what is expected."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.run = uuid.uuid4().hex[:12]
        self._password = f"lantern-{uuid.uuid4().hex[:8]}-harbour-quilt"
        self.checks = 0
        self._chapter = 0
        self._step = 0
        # The number of mails that each address should have received with each subject.
        self._mails: Counter[tuple[str, str]] = Counter()
        # Only a local shop has a mailbox that can be read. Elsewhere mail is really sent,
        # to the SES simulator, because bounces would count against the shop.
        self._local = shop.mailbox("nobody@example.com") is not None
        self._address = "{}@example.com" if self._local else "success+{}@simulator.amazonses.com"

    def chapter(self, title: str) -> None:
        self._chapter += 1
        self._step = 0
        print(f"\n{self._chapter}. {title}\n{'=' * (len(title) + 3)}", flush=True)

    def step(self, text: str) -> None:
        self._step += 1
        print(f"\n{self._chapter}.{self._step} {text}", flush=True)

    def note(self, text: str) -> None:
        print(f"      {text}", flush=True)

    def ask(self, method: str, path: str, body: Json = None, show: str = "", **options: Json) -> Reply:
        """Sends a request and prints it with the named parts of the reply."""
        return self.show(self.shop.send(method, path, body, **options), show)

    def show(self, reply: Reply, show: str = "") -> Reply:
        parts = [f"{path}={reply.pick(path)}" for path in show.split() if reply.ok]
        if not reply.ok and isinstance(reply.body, dict):
            parts = [str(reply.body[key]) for key in ("code", "detail") if reply.body.get(key)]
        self.note(f"{reply.method} {reply.path}")
        self.note(f"-> {reply.status}  {'  '.join(parts)}".rstrip())
        return reply

    def check(self, what: str, actual: object, expected: object) -> None:
        self.check_that(what, actual == expected, actual, expected)

    def check_that(self, what: str, holds: bool, actual: object, expected: object = "that") -> None:
        if not holds:
            raise CheckFailed(f"FAILED  {what}\n  expected: {expected}\n  actual:   {str(actual)[:2000]}")
        self.checks += 1
        self.note(f"ok  {what}")

    def status(self, reply: Reply, expected: int) -> None:
        # A failure shows the reason that the shop gave.
        self.check_that(f"status {expected}", reply.status == expected, ShopError(reply), expected)

    def problem(self, reply: Reply, status: int) -> None:
        self.status(reply, status)
        self.check("as problem+json", reply.header("Content-Type").partition(";")[0], "application/problem+json")

    def wait_for(self, fetch: Callable[[], Json], done: Callable[[Json], object]) -> Json:
        """Polls until the result is `done` or the time is up; returns the last result either way."""
        deadline = time.monotonic() + DEADLINE_S
        while not done(result := fetch()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return result

    def register(self, name: str, show: str = "user.email") -> tuple[Person, Reply]:
        email = self._address.format(f"{name.split()[0].lower()}-{self.run}")
        body = {"email": email, "password": self._password, "name": name}
        reply = self.ask("POST", "/api/auth/register", body, show)
        self.status(reply, 201)
        return person_in(reply), reply

    def log_in(self, person: Person) -> Person:
        body = {"email": person.email, "password": self._password}
        reply = self.ask("POST", "/api/auth/login", body, "user.email user.role")
        self.status(reply, 200)
        return person_in(reply)

    def mails(self, person: Person) -> list[Json]:
        return self.shop.mailbox(person.email) or []

    def mail(self, person: Person, before: int, pattern: str) -> None:
        """Waits for exactly one mail to a person who had received `before` mails."""
        if not self._local:
            self.note("(mail is not checked: only a local shop has a mailbox)")
            return
        mails = self.wait_for(lambda: self.mails(person), lambda mails: len(mails) > before)
        new = mails[: len(mails) - before]
        subjects = [mail["subject"] for mail in new]
        self.check_that(f"exactly one mail arrived: {subjects}", len(new) == 1, subjects, "one mail")
        text = f"{new[0]['subject']} {new[0].get('text')} {new[0].get('html')}"
        self.check_that(f"it is about that ({pattern})", re.search(pattern, text, re.IGNORECASE) is not None, text, pattern)
        self._mails[person.email, subjects[0]] += 1

    def no_mail_twice(self) -> None:
        """Checks at the end that no mail has arrived a second time meanwhile."""
        for (email, subject), expected in self._mails.items():
            subjects = [mail["subject"] for mail in self.shop.mailbox(email) or []]
            self.check(f"{email} has received “{subject}” once", subjects.count(subject), expected)


def person_in(reply: Reply) -> Person:
    user = reply.data["user"]
    return Person(user["id"], user["email"], reply.data["token"], reply.data["refreshToken"])


def ids(reply: Reply) -> list[str]:
    return [item["id"] for item in reply.data or []]


def an_account(demo: Demo) -> Person:
    demo.chapter("An account")
    demo.step("Ada registers.")
    ada, reply = demo.register("Ada Marsh", "user.email user.role tokenType expiresIn")
    expected = {"user", "token", "refreshToken", "expiresIn", "tokenType"}
    demo.check("a user and tokens come back", expected - reply.data.keys(), set())
    demo.check("nothing about the password does", [k for k in reply.data["user"] if "password" in k.lower()], [])

    demo.step("She receives a link to verify her address.")
    demo.mail(ada, 0, "token=")

    demo.step("She logs in and asks who she is.")
    ada = demo.log_in(ada)
    reply = demo.ask("GET", "/api/auth/me", show="id name role", token=ada.token)
    demo.status(reply, 200)
    demo.check("it is her", reply.data["id"], ada.id)

    def refresh(refresh_token: str, expected: int) -> Reply:
        reply = demo.ask("POST", "/api/auth/refresh", {"refreshToken": refresh_token}, "tokenType expiresIn")
        demo.status(reply, expected)
        return reply

    demo.step("She refreshes her tokens.")
    fresh = refresh(ada.refresh_token, 200).data
    demo.check("the refresh token is a new one", fresh["refreshToken"] != ada.refresh_token, True)

    demo.step("In another session a refresh token is used twice. It may have been stolen, so that session ends.")
    other = demo.log_in(ada)
    successor = refresh(other.refresh_token, 200).data["refreshToken"]
    refresh(other.refresh_token, 401)
    demo.note("Its successor, which was never used, is revoked as well:")
    refresh(successor, 401)

    demo.step("She logs out of the first session. Its token is invalid immediately, before it expires.")
    demo.status(demo.ask("GET", "/api/auth/me", token=fresh["token"]), 200)
    reply = demo.ask("POST", "/api/auth/logout", {"refreshToken": fresh["refreshToken"]}, token=fresh["token"])
    demo.check_that("logging out succeeds", reply.ok, ShopError(reply))
    demo.status(demo.ask("GET", "/api/auth/me", token=fresh["token"]), 401)
    return ada


def a_catalogue(demo: Demo, ada: Person) -> list[Json]:
    demo.chapter("A catalogue")
    demo.step("An internal client makes Ada an admin, and she logs in again.")
    reply = demo.ask("PATCH", f"/api/users/{ada.id}", {"role": "admin"}, "email role", internal=True)
    demo.status(reply, 200)
    demo.check("she is an admin", reply.data["role"], "admin")
    admin = demo.log_in(ada)

    demo.step("The internal client creates a category, and Ada creates a subcategory.")
    body: Json = {"name": f"Demo {demo.run}", "description": "Created by the demo."}
    reply = demo.ask("POST", "/api/categories", body, "id name", internal=True)
    demo.status(reply, 201)
    body = {"name": f"Kettles {demo.run}", "parentId": reply.data["id"]}
    reply = demo.ask("POST", "/api/categories", body, "id name parentId", token=admin.token)
    demo.status(reply, 201)
    inside = {"category": reply.data["id"]}

    demo.step("Ada adds three products.")
    word = f"fernbrook{demo.run}"  # A word that occurs in no other product.
    products: list[Json] = []
    for name, price in ((f"Copper Kettle {word}", "79.95"), ("Steel Kettle", "49.90"), ("Travel Kettle", "24.50")):
        body = {"name": name, "description": "Boils water, and whistles.", "price": Decimal(price), "currency": "USD"}
        body |= {"categoryId": inside["category"], "stock": 10, "tags": ["kitchen", "tea"]}
        reply = demo.ask("POST", "/api/products", body, "name price stock", token=admin.token)
        demo.status(reply, 201)
        demo.check("its price is exact", reply.data["price"], Decimal(price))
        products.append(reply.data)
    copper, steel, travel = (product["id"] for product in products)

    demo.step("Anyone can browse without an account.")
    browse = "/api/products"
    reply = demo.wait_for(lambda: demo.shop.send("GET", browse, query=inside), lambda r: len(ids(r)) == 3)
    demo.check("the category contains all three", set(ids(demo.show(reply))), {copper, steel, travel})
    questions: list[tuple[str, dict[str, object], list[str]]] = [
        ("from 30 to 60 dollars", {"minPrice": 30, "maxPrice": 60}, [steel]),
        ("cheapest first", {"sort": "price"}, [travel, steel, copper]),
        ("most expensive first", {"sort": "-price"}, [copper, steel, travel]),
        ("by name", {"sort": "name"}, [copper, steel, travel]),
        ("newest first", {"sort": "newest"}, [travel, steel, copper]),
    ]
    for name, query, expected in questions:
        demo.check(name, ids(demo.ask("GET", browse, query=inside | query)), expected)
    reply = demo.wait_for(lambda: demo.shop.send("GET", browse, query={"search": word}), ids)
    demo.check("a search finds the matching product", ids(demo.show(reply)), [copper])

    demo.step("Lists are paginated.")
    query = inside | {"sort": "price", "limit": 2}
    page = demo.ask("GET", browse, query=query)
    demo.check("the first page has two products and announces more", (ids(page), page.has_more), ([travel, steel], True))
    page = demo.ask("GET", browse, query=query | {"cursor": page.next_cursor})
    demo.check("the second page has the rest and is the last", (ids(page), page.has_more), ([copper], False))

    demo.step("An unchanged product is not sent again. Stock is set, decreased and increased.")
    path = f"/api/products/{copper}"
    reply = demo.ask("GET", path, show="name price stock")
    demo.status(reply, 200)
    known = {"If-None-Match": reply.header("ETag")}
    demo.status(demo.ask("GET", path, headers=known), 304)
    for method, quantity, operation, after in (
        ("PUT", 5, {"operation": "set"}, 5),
        ("PATCH", 1, {}, 4),
        ("PATCH", 1, {"operation": "increase"}, 5),
    ):
        body = {"quantity": quantity} | operation
        reply = demo.ask(method, f"{path}/stock", body, "previousStock stock", internal=True, headers={"Idempotency-Key": str(uuid.uuid4())})
        demo.status(reply, 200)
        demo.check(f"stock is {after}", reply.data["stock"], after)
    demo.status(demo.ask("GET", path, show="stock", headers=known), 200)
    return products


def orders(demo: Demo, products: list[Json]) -> Json:
    copper, steel, travel = (product["id"] for product in products)
    demo.chapter("Orders")
    demo.step("Bo registers and verifies his address; until then he could order only a part of the stock.")
    bo, _ = demo.register("Bo Lindqvist")
    demo.mail(bo, 0, "token=")
    demo.shop.verify(bo.email, bo.token)

    def order(lines: dict[str, int], card: str, key: str | None, correlation_id: str | None = None) -> Reply:
        items = [{"productId": product_id, "quantity": quantity} for product_id, quantity in lines.items()]
        body = {"items": items, "shippingAddress": ADDRESS, "paymentMethod": card}
        sent = {"Idempotency-Key": key, "X-Correlation-Id": correlation_id}
        headers = {name: value for name, value in sent.items() if value}
        return demo.ask("POST", "/api/orders", body, "id status totalAmount", token=bo.token, headers=headers)

    def settled(order_id: str, status: str) -> Reply:
        ask = partial(demo.shop.call, "GET", f"/api/orders/{order_id}", token=bo.token)
        reply: Reply = demo.wait_for(ask, lambda order: order.data["status"] == status)
        demo.check("its status", demo.show(reply, "status paymentId").data["status"], status)
        return reply

    def stock(product_id: str) -> object:
        return demo.shop.call("GET", f"/api/products/{product_id}").data["stock"]

    demo.step("He orders two of the five copper kettles, with his own correlation id.")
    before, key, correlation_id = len(demo.mails(bo)), str(uuid.uuid4()), str(uuid.uuid4())
    placed = order({copper: 2}, "pm_card_visa", key, correlation_id)
    demo.status(placed, 201)
    demo.check("it is pending", placed.data["status"], "pending")
    total = placed.data["totalAmount"]
    demo.check("the total is twice the price", total, products[0]["price"] * 2)

    demo.step("Payment and stock are settled asynchronously.")
    reply = settled(placed.data["id"], "confirmed")
    demo.check("three are left", stock(copper), 3)
    reply = demo.ask("GET", f"/api/payments/{reply.data['paymentId']}", show="status amount currency", token=bo.token)
    demo.status(reply, 200)
    demo.check("it is captured", reply.data["status"], "captured")
    demo.check("in full", reply.data["amount"], total)

    demo.step("The order's history has the time and the cause of each step. Bo receives one mail.")
    reply = demo.ask("GET", f"/api/orders/{placed.data['id']}/history", token=bo.token)
    demo.status(reply, 200)
    history = reply.data
    for entry in history:
        demo.note(f"    {entry['version']}  {entry['at']}  {entry['type']}  cause {entry['causationId'] or '-'}")
    demo.check_that("there are several steps", len(history) > 1, history)
    demo.check("each has a time", [e["type"] for e in history if not e["at"]], [])
    took = datetime.fromisoformat(history[-1]["at"]) - datetime.fromisoformat(history[0]["at"])
    demo.check_that(f"confirmed within {CONFIRMED_WITHIN.seconds} s", took <= CONFIRMED_WITHIN, f"{took.total_seconds():.2f} s")
    # The customer placed the order, so no event caused the first step.
    demo.check("each later one has a cause", [e["type"] for e in history[1:] if not e["causationId"]], [])
    demo.check("all have Bo's correlation id beside the shop's", {e["clientCorrelationId"] for e in history}, {correlation_id})
    demo.mail(bo, before, "confirm")

    demo.step("His phone did not receive the reply and posts again with the same key.")
    reply = order({copper: 2}, "pm_card_visa", key)
    demo.status(reply, 201)
    demo.check("it is marked as a replay", reply.header("Idempotency-Replayed"), "true")
    demo.check("it is the same order", reply.data["id"], placed.data["id"])
    demo.check("still three are left", stock(copper), 3)
    demo.note("The same key for a different order is rejected, and so is a missing key:")
    demo.problem(order({copper: 1}, "pm_card_visa", key), 422)
    demo.problem(order({copper: 2}, "pm_card_visa", None), 400)

    demo.step("A card is declined: the order fails, its stock is released, and Bo receives a mail.")
    before = len(demo.mails(bo))
    reply = order({steel: 4}, "pm_card_chargeDeclined", str(uuid.uuid4()))
    demo.status(reply, 201)
    settled(reply.data["id"], "payment_failed")
    demo.check("all ten are available again", demo.wait_for(lambda: stock(steel), lambda now: now == 10), 10)
    demo.mail(bo, before, "declin|fail|refus|could not|did not go through")

    demo.step("He orders more than the stock of two products, and one unit of a third.")
    reply = order({copper: 50, steel: 1, travel: 60}, "pm_card_visa", str(uuid.uuid4()))
    demo.problem(reply, 409)
    demo.check("the error code", reply.code, "insufficient_stock")
    errors = reply.body.get("errors") or []
    for error in errors:
        demo.note(f"    {error.get('field')}: {error.get('message')}")
    demo.check_that("both lines are named", len(errors) == 2, errors, "two errors")
    demo.check("nothing is reserved", [stock(copper), stock(steel), stock(travel)], [3, 10, 10])
    return placed.data


def what_is_rejected(demo: Demo, placed: Json) -> None:
    demo.chapter("What is rejected")
    path = f"/api/orders/{placed['id']}"
    demo.step("Cy, another user, requests Bo's order, which does not exist for Cy.")
    cy, _ = demo.register("Cy Brandt")
    demo.problem(demo.ask("GET", path, token=cy.token), 404)

    demo.step("Someone without a token requests it.")
    demo.problem(demo.ask("GET", path), 401)

    demo.step("Cy tries to create a product.")
    body = {"name": "Not Yours", "price": Decimal("1.00"), "currency": "USD", "categoryId": str(uuid.uuid4())}
    demo.problem(demo.ask("POST", "/api/products", body, token=cy.token), 403)

    demo.step("Someone requests an unknown route.")
    demo.problem(demo.ask("GET", "/api/no-such-thing"), 404)


def main() -> int:
    try:
        shop = Shop.from_environment()
        print(f"A demonstration of the shop at {shop.base_url}", flush=True)
        demo = Demo(shop)
        ada = an_account(demo)
        placed = orders(demo, a_catalogue(demo, ada))
        what_is_rejected(demo, placed)
        demo.no_mail_twice()
    except CheckFailed as failed:
        print(f"\n{failed}")
    except (ShopError, Unreachable, ValueError) as error:
        print(f"\nFAILED  the demo cannot continue\n  expected: a success\n  actual:   {error}")
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        # A reply lacks a documented part; the line of the demo shows which.
        line = traceback.extract_tb(error.__traceback__)[-1].line
        print(f"\nFAILED  the demo cannot continue\n  expected: {line}\n  actual:   {error!r}")
    else:
        print(f"\n{demo.checks} checks passed")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
