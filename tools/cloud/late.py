"""Work that becomes due with time, made due at once.

Four kinds of work are done on a schedule only: unpaid reservations are released
after fifteen minutes, events that the stream missed are published after one, orders
and payments that are not at their end are looked at after five, and
accounts that were closed are erased after thirty days. Here the records are made
that old, and the scheduled functions are invoked as EventBridge invokes them. The
fifth kind is the window of a rate limit, which any function behind it may start.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from .stack import Incomplete, Stack

#: The relay of each service.
RELAYS = {
    "catalog": "relay-catalog-events",
    "notifications": "relay-notification-events",
    "orders": "relay-order-events",
    "payments": "relay-payment-events",
    "users": "relay-user-events",
}
#: Functions behind a rate limit whose window does not end while the tests run.
LIMITED = ["export-account", "refresh-tokens", "verify-token"]
#: The prefix of the keys of rate limit windows.
WINDOW = "LIMIT#"
#: Long ago, in milliseconds since the epoch.
LONG_AGO = "1000000000000"
#: The age at which orders and payments that are not at their end are looked at.
DUE_AGE_MS = 330_000
#: Who answers a reminder of which event.
REMINDERS = {"order.committed": "process-payments", "order.authorized": "settle-reservations"}
#: What replaces a name in an anonymised order.
ANONYMOUS = "-"
#: How long queues and streams may take, and the time between two checks.
PATIENCE_SECONDS = 60
LOOK_EVERY_SECONDS = 0.5


class Late(Exception):
    """A scheduled function did not do its work."""


class Clockwork:
    """Makes work due and invokes the scheduled functions."""

    def __init__(self, stack: Stack, events: Path) -> None:
        self.stack = stack
        self.events = events
        self.scheduled = (events / "expire-reservations.json").read_text()
        self.lambdas = stack.client("lambda")
        self.database = stack.client("dynamodb")
        self.tables = {
            name.removesuffix("Table").lower(): resource["PhysicalResourceId"]
            for name, resource in stack.resources().items()
            if resource["ResourceType"] == "AWS::DynamoDB::Table"
        }

    def invoke(self, function: str, event: str) -> dict:
        """A function's reply."""
        name = f"{self.stack.name}-{function}"
        answer = self.lambdas.invoke(FunctionName=name, Payload=event.encode())
        reply = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise Late(f"{function}: {reply}")
        return reply

    def items(self, service: str) -> Iterator[dict]:
        """All items of a service's table."""
        pages = self.database.get_paginator("scan")
        for page in pages.paginate(TableName=self.tables[service], ConsistentRead=True):
            yield from page["Items"]

    def key_of(self, item: dict) -> dict:
        """An item's key."""
        return {"pk": item["pk"], "sk": item["sk"]}

    def item(self, service: str, item: dict) -> dict:
        """An item as it is now."""
        found = self.database.get_item(
            TableName=self.tables[service], Key=self.key_of(item), ConsistentRead=True
        )
        return found["Item"]

    def make_older(self, service: str, item: dict, changes: dict[str, dict]) -> None:
        """Sets attributes of an item, as the account's root."""
        named = {f"#{index}": name for index, name in enumerate(changes)}
        values = {f":{index}": value for index, value in enumerate(changes.values())}
        sets = ", ".join(f"#{index} = :{index}" for index in range(len(changes)))
        self.database.update_item(
            TableName=self.tables[service],
            Key=self.key_of(item),
            UpdateExpression=f"SET {sets}",
            ExpressionAttributeNames=named,
            ExpressionAttributeValues=values,
        )

    def release_an_expired_reservation(self, product: str) -> None:
        """An expired reservation is released."""
        order = str(uuid.uuid4())
        asked = {
            "orderId": order,
            "lines": [{"productId": product, "quantity": 1}],
            "correlationId": "clockwork",
        }
        self.invoke("reserve-stock", json.dumps(asked))
        held = next((i for i in self.items("catalog") if order in i["pk"]["S"] and "holding" in i), None)
        if held is None:
            raise Late("no stock was reserved")
        self.make_older("catalog", held, {"held_until": older(held["held_until"])})
        self.invoke("expire-reservations", self.scheduled)
        if "holding" in self.item("catalog", held):
            raise Late("an expired reservation was not released")

    def publish_an_unsent_event(self, service: str, relay: str) -> None:
        """An event that was never sent is published by the sweep."""
        event = next((i for i in self.items(service) if "event" in i), None)
        if event is None:
            raise Late(f"{service} has no event")
        self.make_older(service, event, {"unsent": {"S": "0"}, "unsent_since": {"N": LONG_AGO}})
        self.invoke(relay, self.scheduled)
        if "unsent" in self.item(service, event):
            raise Late(f"{relay} did not publish an unsent event")

    def end_a_pending_order(self) -> None:
        """An order that has waited for its payment for too long is ended."""
        failed = (i for i in self.items("orders") if i.get("status", {}).get("S") == "payment_failed")
        order = next(failed, None)
        if order is None:
            raise Incomplete("the tests left no order whose payment failed")
        due = {"N": str(int(time.time() * 1000) - DUE_AGE_MS)}
        pending = {"status": {"S": "pending"}, "placed_at": older(order["placed_at"]), "committed": {"BOOL": False}}
        self.make_older("orders", order, pending | {"open_shard": {"S": "0"}, "open_since": due})
        self.invoke("relay-order-events", self.scheduled)
        if self.item("orders", order)["status"]["S"] != "cancelled":
            raise Late("a pending order was not ended")

    def ask_about_a_delayed_payment(self) -> None:
        """Orders is asked about a payment that is not at its end."""
        ended = (i for i in self.items("payments") if i.get("status", {}).get("S") == "declined")
        payment = next(ended, None)
        if payment is None:
            raise Incomplete("the tests left no declined payment")
        due = {"N": str(int(time.time() * 1000) - DUE_AGE_MS)}
        delayed = {"status": {"S": "authorized"}, "open_shard": {"S": "0"}, "open_since": due}
        self.make_older("payments", payment, delayed)
        self.invoke("relay-payment-events", self.scheduled)
        self.make_older("payments", payment, {"status": {"S": "declined"}})
        events = (i["event"]["S"] for i in self.items("payments") if i["pk"] == payment["pk"] and "event" in i)
        if not any('"payment.delayed"' in event for event in events):
            raise Late("nobody was asked about a delayed payment")

    def remind(self, event_type: str, consumer: str) -> None:
        """A consumer that has seen an event is reminded of it."""
        events = (i["event"]["S"] for i in self.items("orders") if "event" in i)
        found = next((event for event in map(json.loads, events) if event["type"] == event_type), None)
        if found is None:
            raise Incomplete(f"the tests left no {event_type}")
        batch = json.loads((self.events / f"{consumer}.json").read_text())
        batch["Records"] = batch["Records"][:1]
        batch["Records"][0]["body"] = json.dumps(found | {"reminder": True})
        reply = self.invoke(consumer, json.dumps(batch))
        if reply["batchItemFailures"]:
            raise Late(f"{consumer} failed at a reminder of {event_type}")

    def until(self, what: str, is_done: Callable[[], bool]) -> None:
        """Waits for the effect of events."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            if time.monotonic() > ends:
                raise Late(f"not done: {what}")
            time.sleep(LOOK_EVERY_SECONDS)

    def erase_a_closed_account(self) -> None:
        """A customer who closed an account is erased everywhere."""
        buyers = {i["user_id"]["S"] for i in self.items("orders") if "shipping_address" in i}
        closed = [i for i in self.items("users") if "closing" in i and i["id"]["S"] in buyers]
        if not closed:
            raise Incomplete("the tests left no closed account of a customer who had ordered")
        account, user = closed[0], closed[0]["id"]["S"]
        self.make_older("users", account, {"erase_at": {"N": LONG_AGO}})

        def is_gone() -> bool:
            # Events in flight postpone it to the next run.
            self.invoke("erase-accounts", (self.events / "erase-accounts.json").read_text())
            key = self.key_of(account)
            found = self.database.get_item(TableName=self.tables["users"], Key=key, ConsistentRead=True)
            return "Item" not in found

        def orders_are_anonymised() -> bool:
            orders = [i for i in self.items("orders") if i.get("user_id", {}).get("S") == user]
            names = {i["shipping_address"]["M"]["name"]["S"] for i in orders if "shipping_address" in i}
            return names == {ANONYMOUS}

        def messages_are_gone() -> bool:
            messages = [i for i in self.items("notifications") if i["pk"]["S"] == f"USER#{user}"]
            return not any(i["sk"]["S"].startswith(("NOTIFICATION#", "UNLISTED#")) for i in messages)

        self.until("erasing an account", is_gone)
        self.until("anonymising orders", orders_are_anonymised)
        self.until("erasing messages", messages_are_gone)

    def windows(self) -> list[dict]:
        """All rate limit windows of the users service."""
        return [item for item in self.items("users") if item["pk"]["S"].startswith(WINDOW)]

    def begin_window(self, function: str) -> None:
        """This function makes the first request after a window has ended."""
        event = (self.events / f"{function}.json").read_text()
        self.invoke(function, event)
        for window in self.windows():
            self.make_older("users", window, {"window": {"N": "0"}})
        self.invoke(function, event)
        if all(window["window"]["N"] == "0" for window in self.windows()):
            raise Late(f"{function} began no window")


def older(value: dict) -> dict:
    """A time long ago, in the type that the attribute has."""
    return {"N": LONG_AGO} if "N" in value else {"S": "2001-09-09T01:46:40Z"}


def run(stack: Stack, events: Path) -> int:
    """Makes each kind of work due once; the number of kinds."""
    clockwork = Clockwork(stack, events)
    product = next((i for i in clockwork.items("catalog") if "stock" in i and "price" in i), None)
    if product is None:
        raise Incomplete("the tests left no product with stock")
    clockwork.release_an_expired_reservation(product["id"]["S"])
    for service, relay in RELAYS.items():
        clockwork.publish_an_unsent_event(service, relay)
    clockwork.end_a_pending_order()
    clockwork.ask_about_a_delayed_payment()
    for event_type, consumer in REMINDERS.items():
        clockwork.remind(event_type, consumer)
    clockwork.erase_a_closed_account()
    for function in LIMITED:
        clockwork.begin_window(function)
    return 4 + len(RELAYS) + len(REMINDERS) + len(LIMITED)
