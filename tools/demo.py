#!/usr/bin/env python3
"""Tells the shop's story against a running one, and checks every sentence of it.

    BASE_URL=https://… INTERNAL_KEY=… python3 tools/demo.py

Everything it makes has a name of its own, so it can be run again and beside real
data. It leaves two categories, three products, three accounts and two orders
behind. Ends with status 1 at the first thing that is not as told.
"""

from __future__ import annotations

import re
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from shop import Json, Reply, Shop, ShopError, Unreachable

# What is promised after an order, and how long the story waits before it gives up.
CONFIRMED_WITHIN_S = 5.0
DEADLINE_S = 10.0
POLL_S = 0.2
# Long enough for a second copy of a mail to show itself.
SECOND_COPY_S = 1.0

ADDRESS = {
    "name": "Bo Lindqvist",
    "line1": "14 Harbour Street",
    "line2": "Second floor",
    "city": "Portland",
    "state": "ME",
    "postalCode": "04101",
    "country": "US",
}


class CheckFailed(Exception):
    """The shop did not do what the story says."""


@dataclass(frozen=True)
class Person:
    """Somebody with an account and a session."""

    id: str
    email: str
    token: str
    refresh_token: str


class Story:
    """Narrates, asks the shop, and holds what comes to what was expected."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.run = uuid.uuid4().hex[:12]
        self._password = f"lantern-{uuid.uuid4().hex[:8]}-harbour-quilt"
        self.checks = 0
        self._chapter = 0
        self._step = 0
        # Only the local process keeps its mail where it can be read. Elsewhere the mail
        # is real and goes to the SES simulator: bounces would count against the shop.
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
        """Sends a request and tells it with the named parts of the answer."""
        return self.tell(self.shop.send(method, path, body, **options), show)

    def tell(self, reply: Reply, show: str = "") -> Reply:
        parts = [f"{path}={reply.pick(path)}" for path in show.split() if reply.ok]
        if not reply.ok and isinstance(reply.body, dict):
            parts = [str(reply.body[key]) for key in ("code", "detail") if reply.body.get(key)]
        self.note(f"{reply.method} {reply.path}")
        self.note(f"-> {reply.status}  {'  '.join(parts)}".rstrip())
        return reply

    def check(self, what: str, came: object, expected: object) -> None:
        self.check_that(what, came == expected, came, expected)

    def check_that(self, what: str, is_so: bool, came: object, expected: object = "that") -> None:
        if not is_so:
            raise CheckFailed(f"FAILED  {what}\n  expected: {expected}\n  came:     {str(came)[:2000]}")
        self.checks += 1
        self.note(f"ok  {what}")

    def status(self, reply: Reply, expected: int) -> None:
        # What came instead is shown with the reason that the shop gave.
        self.check_that(f"status {expected}", reply.status == expected, ShopError(reply), expected)

    def problem(self, reply: Reply, status: int) -> None:
        self.status(reply, status)
        self.check("as problem+json", reply.header("Content-Type").partition(";")[0], "application/problem+json")

    def wait_for(self, fetch: Callable[[], Json], done: Callable[[Json], object]) -> Json:
        """Asks until it is done or the time is up, and gives the last answer either way."""
        deadline = time.monotonic() + DEADLINE_S
        while not done(answer := fetch()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return answer

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

    def mail(self, person: Person, before: int, says: str) -> None:
        """Waits for the one mail that came to somebody who had so many before."""
        if not self._local:
            self.note("(no look at the mail: only a local shop shows its mailbox)")
            return
        self.wait_for(lambda: self.mails(person), lambda mails: len(mails) > before)
        time.sleep(SECOND_COPY_S)
        mails = self.mails(person)
        new = mails[: len(mails) - before]
        titles = [mail["subject"] for mail in new]
        self.check_that(f"exactly one mail came: {titles}", len(new) == 1, titles, "one mail")
        text = f"{new[0]['subject']} {new[0].get('text')} {new[0].get('html')}"
        self.check_that(f"it says so ({says})", re.search(says, text, re.IGNORECASE) is not None, text, says)


def person_in(reply: Reply) -> Person:
    user = reply.data["user"]
    return Person(user["id"], user["email"], reply.data["token"], reply.data["refreshToken"])


def ids(reply: Reply) -> list[str]:
    return [item["id"] for item in reply.data or []]


def an_account(story: Story) -> Person:
    story.chapter("An account")
    story.step("Ada registers.")
    ada, reply = story.register("Ada Marsh", "user.email user.role tokenType expiresIn")
    expected = {"user", "token", "refreshToken", "expiresIn", "tokenType"}
    story.check("a user and tokens come back", expected - reply.data.keys(), set())
    story.check("nothing of the password does", [k for k in reply.data["user"] if "password" in k.lower()], [])

    story.step("She is sent a link to verify her address.")
    story.mail(ada, 0, "token=")

    story.step("She logs in and asks who she is.")
    ada = story.log_in(ada)
    reply = story.ask("GET", "/api/auth/me", show="id name role", token=ada.token)
    story.status(reply, 200)
    story.check("it is her", reply.data["id"], ada.id)

    def refresh(refresh_token: str, expected: int) -> Reply:
        reply = story.ask("POST", "/api/auth/refresh", {"refreshToken": refresh_token}, "tokenType expiresIn")
        story.status(reply, expected)
        return reply

    story.step("She refreshes her tokens.")
    fresh = refresh(ada.refresh_token, 200).data
    story.check("the refresh token is a new one", fresh["refreshToken"] != ada.refresh_token, True)

    story.step("In another session a refresh token is used twice: it may be stolen, so all of that session ends.")
    other = story.log_in(ada)
    successor = refresh(other.refresh_token, 200).data["refreshToken"]
    refresh(other.refresh_token, 401)
    story.note("Its successor, never used, is revoked with it:")
    refresh(successor, 401)

    story.step("She logs out of the first session; its token ends at once, not when it expires.")
    story.status(story.ask("GET", "/api/auth/me", token=fresh["token"]), 200)
    reply = story.ask("POST", "/api/auth/logout", {"refreshToken": fresh["refreshToken"]}, token=fresh["token"])
    story.check_that("logging out succeeds", reply.ok, ShopError(reply))
    story.status(story.ask("GET", "/api/auth/me", token=fresh["token"]), 401)
    return ada


def a_catalogue(story: Story, ada: Person) -> list[Json]:
    story.chapter("A catalogue")
    story.step("A machine with the internal key makes Ada an admin, and she logs in as one.")
    reply = story.ask("PATCH", f"/api/users/{ada.id}", {"role": "admin"}, "email role", internal=True)
    story.status(reply, 200)
    story.check("she is an admin", reply.data["role"], "admin")
    admin = story.log_in(ada)

    story.step("The machine makes a category, Ada another one below it.")
    body: Json = {"name": f"Demo {story.run}", "description": "Made by the demo."}
    reply = story.ask("POST", "/api/categories", body, "id name", internal=True)
    story.status(reply, 201)
    body = {"name": f"Kettles {story.run}", "parentId": reply.data["id"]}
    reply = story.ask("POST", "/api/categories", body, "id name parentId", token=admin.token)
    story.status(reply, 201)
    inside = {"category": reply.data["id"]}

    story.step("Ada adds three products.")
    word = f"fernbrook{story.run}"  # A word that no other product has.
    products: list[Json] = []
    for name, price in ((f"Copper Kettle {word}", "79.95"), ("Steel Kettle", "49.90"), ("Travel Kettle", "24.50")):
        body = {"name": name, "description": "Boils water, and says so.", "price": Decimal(price), "currency": "USD"}
        body |= {"categoryId": inside["category"], "stock": 10, "tags": ["kitchen", "tea"]}
        reply = story.ask("POST", "/api/products", body, "name price stock", token=admin.token)
        story.status(reply, 201)
        story.check("its price is exact", reply.data["price"], Decimal(price))
        products.append(reply.data)
    copper, steel, travel = (product["id"] for product in products)

    story.step("Anybody can look around, without an account.")
    browse = "/api/products"
    reply = story.wait_for(lambda: story.shop.send("GET", browse, query=inside), lambda r: len(ids(r)) == 3)
    story.check("the category holds the three", set(ids(story.tell(reply))), {copper, steel, travel})
    questions: list[tuple[str, dict[str, object], list[str]]] = [
        ("from 30 to 60 dollars", {"minPrice": 30, "maxPrice": 60}, [steel]),
        ("cheapest first", {"sort": "price"}, [travel, steel, copper]),
        ("dearest first", {"sort": "-price"}, [copper, steel, travel]),
        ("by name", {"sort": "name"}, [copper, steel, travel]),
        ("newest first", {"sort": "newest"}, [travel, steel, copper]),
    ]
    for told, query, expected in questions:
        story.check(told, ids(story.ask("GET", browse, query=inside | query)), expected)
    reply = story.wait_for(lambda: story.shop.send("GET", browse, query={"search": word}), ids)
    story.check("a search finds the one it is about", ids(story.tell(reply)), [copper])

    story.step("Lists come in pages.")
    query = inside | {"sort": "price", "limit": 2}
    page = story.ask("GET", browse, query=query)
    story.check("the first has two and says that there is more", (ids(page), page.has_more), ([travel, steel], True))
    page = story.ask("GET", browse, query=query | {"cursor": page.next_cursor})
    story.check("the second has the rest and says that it is the last", (ids(page), page.has_more), ([copper], False))

    story.step("A product is not sent again until it changes. Stock is set, taken and given.")
    path = f"/api/products/{copper}"
    reply = story.ask("GET", path, show="name price stock")
    story.status(reply, 200)
    known = {"If-None-Match": reply.header("ETag")}
    story.status(story.ask("GET", path, headers=known), 304)
    for method, quantity, operation, after in (
        ("PUT", 5, {"operation": "set"}, 5),
        ("PATCH", 1, {}, 4),
        ("PATCH", 1, {"operation": "increase"}, 5),
    ):
        body = {"quantity": quantity} | operation
        reply = story.ask(method, f"{path}/stock", body, "previousStock stock", internal=True)
        story.status(reply, 200)
        story.check(f"stock is {after}", reply.data["stock"], after)
    story.status(story.ask("GET", path, show="stock", headers=known), 200)
    return products


def orders(story: Story, products: list[Json]) -> Json:
    copper, steel, travel = (product["id"] for product in products)
    story.chapter("Orders")
    story.step("Bo registers.")
    bo, _ = story.register("Bo Lindqvist")
    story.mail(bo, 0, "token=")

    def order(lines: dict[str, int], card: str, key: str | None, correlation_id: str | None = None) -> Reply:
        items = [{"productId": product_id, "quantity": quantity} for product_id, quantity in lines.items()]
        body = {"items": items, "shippingAddress": ADDRESS, "paymentMethod": card}
        sent = {"Idempotency-Key": key, "X-Correlation-Id": correlation_id}
        headers = {name: value for name, value in sent.items() if value}
        return story.ask("POST", "/api/orders", body, "id status totalAmount", token=bo.token, headers=headers)

    def settled(order_id: str, status: str) -> Reply:
        ask = partial(story.shop.call, "GET", f"/api/orders/{order_id}", token=bo.token)
        reply: Reply = story.wait_for(ask, lambda order: order.data["status"] == status)
        story.check("its status", story.tell(reply, "status paymentId").data["status"], status)
        return reply

    def stock(product_id: str) -> object:
        return story.shop.call("GET", f"/api/products/{product_id}").data["stock"]

    story.step("He orders two of the five copper kettles, under a correlation id of his own.")
    before = len(story.mails(bo))
    key, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
    placed = order({copper: 2}, "pm_card_visa", key, correlation_id)
    placed_at = time.monotonic()
    story.status(placed, 201)
    story.check("it is pending", placed.data["status"], "pending")
    total = placed.data["totalAmount"]
    story.check("two cost twice the price", total, products[0]["price"] * 2)

    story.step("Payment and stock are settled behind the scenes.")
    reply = settled(placed.data["id"], "confirmed")
    took_s = time.monotonic() - placed_at
    story.check_that(f"within {CONFIRMED_WITHIN_S:.0f} s", took_s <= CONFIRMED_WITHIN_S, f"{took_s:.2f} s")
    story.check("three are left", stock(copper), 3)
    reply = story.ask("GET", f"/api/payments/{reply.data['paymentId']}", show="status amount currency", token=bo.token)
    story.status(reply, 200)
    story.check("it is captured", reply.data["status"], "captured")
    story.check("in full", reply.data["amount"], total)

    story.step("The order remembers each step, when it was and what caused it. Bo is told once.")
    reply = story.ask("GET", f"/api/orders/{placed.data['id']}/history", token=bo.token)
    story.status(reply, 200)
    history = reply.data
    for entry in history:
        story.note(f"    {entry['version']}  {entry['at']}  {entry['type']}  cause {entry['causationId'] or '-'}")
    story.check_that("there are several", len(history) > 1, history)
    story.check("each has its time", [e["type"] for e in history if not e["at"]], [])
    # The first step is the customer's own doing: no event caused it.
    story.check("each later one has its cause", [e["type"] for e in history[1:] if not e["causationId"]], [])
    story.check("all have Bo's correlation id", {e["correlationId"] for e in history}, {correlation_id})
    story.mail(bo, before, "confirm")

    story.step("His phone lost the answer and posts again under the same key.")
    reply = order({copper: 2}, "pm_card_visa", key)
    story.status(reply, 201)
    story.check("it is marked as a replay", reply.header("Idempotency-Replayed"), "true")
    story.check("it is the same order", reply.data["id"], placed.data["id"])
    story.check("still three are left", stock(copper), 3)
    story.note("The same key for another order is refused, and so is no key:")
    story.problem(order({copper: 1}, "pm_card_visa", key), 422)
    story.problem(order({copper: 2}, "pm_card_visa", None), 400)

    story.step("A card is declined: the order fails, the goods go back, and Bo is told.")
    before = len(story.mails(bo))
    reply = order({steel: 4}, "pm_card_chargeDeclined", str(uuid.uuid4()))
    story.status(reply, 201)
    settled(reply.data["id"], "payment_failed")
    story.check("all ten are back", story.wait_for(lambda: stock(steel), lambda now: now == 10), 10)
    story.mail(bo, before, "declin|fail|refus|could not|did not go through")

    story.step("He asks for more than there is of two products, and for one of a third.")
    reply = order({copper: 50, steel: 1, travel: 60}, "pm_card_visa", str(uuid.uuid4()))
    story.problem(reply, 409)
    story.check("the reason", reply.code, "insufficient_stock")
    errors = reply.body.get("errors") or []
    for error in errors:
        story.note(f"    {error.get('field')}: {error.get('message')}")
    story.check_that("the two short lines are named", len(errors) == 2, errors, "two errors")
    story.check("nothing is held", [stock(copper), stock(steel), stock(travel)], [3, 10, 10])
    return placed.data


def what_is_refused(story: Story, placed: Json) -> None:
    story.chapter("What is refused")
    path = f"/api/orders/{placed['id']}"
    story.step("Cy, a stranger, looks for Bo's order: for Cy there is none.")
    cy, _ = story.register("Cy Brandt")
    story.problem(story.ask("GET", path, token=cy.token), 404)

    story.step("Somebody without a token looks for it.")
    story.problem(story.ask("GET", path), 401)

    story.step("Cy tries to add a product.")
    body = {"name": "Not Yours", "price": Decimal("1.00"), "currency": "USD", "categoryId": str(uuid.uuid4())}
    story.problem(story.ask("POST", "/api/products", body, token=cy.token), 403)

    story.step("Somebody takes a wrong turn.")
    story.problem(story.ask("GET", "/api/no-such-thing"), 404)


def main() -> int:
    try:
        shop = Shop.from_environment()
        print(f"The story of the shop at {shop.base_url}", flush=True)
        story = Story(shop)
        ada = an_account(story)
        placed = orders(story, a_catalogue(story, ada))
        what_is_refused(story, placed)
    except CheckFailed as failed:
        print(f"\n{failed}")
    except (ShopError, Unreachable, ValueError) as error:
        print(f"\nFAILED  the story cannot go on\n  expected: a success\n  came:     {error}")
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        # A reply lacks a documented part; the line of the story says which.
        line = traceback.extract_tb(error.__traceback__)[-1].line
        print(f"\nFAILED  the story cannot go on\n  expected: {line}\n  came:     {error!r}")
    else:
        print(f"\n{story.checks} checks passed")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
