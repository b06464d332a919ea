"""What only time brings, brought about at once.

Three kinds of work are done by schedules alone: holds that nobody paid for are
given back after fifteen minutes, events that the stream did not get through are
published after one, and accounts that their owners closed are erased after
thirty days. Here the records are made older than that, and the schedules'
functions are invoked as EventBridge does it. The fourth kind is a limit's
window, which any of the functions behind the limit may begin.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from .stack import Incomplete, Stack

#: The services whose events a relay publishes, by the relay's function.
RELAYS = {
    "catalog": "relay-catalog-events",
    "notifications": "relay-notification-events",
    "orders": "relay-order-events",
    "payments": "relay-payment-events",
    "users": "relay-user-events",
}
#: Functions behind a limit of requests that they share with others, which in
#: the tests always come before them.
LIMITED = ["refresh-tokens", "verify-token"]
#: What the keys of a limit's windows begin with.
WINDOW = "LIMIT#"
#: Long ago, in milliseconds since the epoch.
LONG_AGO = "1000000000000"
#: What stands in an order where a person was.
ANONYMOUS = "-"
#: How long queues and streams may take, and between two looks, in seconds.
PATIENCE_SECONDS = 60
LOOK_EVERY_SECONDS = 0.5


class Late(Exception):
    """A schedule did not do what it is for."""


class Clockwork:
    """Drives the functions that schedules invoke."""

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
        """Everything that a service's table holds."""
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

    def give_back_what_nobody_pays(self, product: str) -> None:
        """A hold that is over is given back."""
        order = str(uuid.uuid4())
        asked = {
            "orderId": order,
            "lines": [{"productId": product, "quantity": 1}],
            "correlationId": "clockwork",
        }
        self.invoke("reserve-stock", json.dumps(asked))
        held = next((i for i in self.items("catalog") if order in i["pk"]["S"] and "holding" in i), None)
        if held is None:
            raise Late("the goods are not held")
        self.make_older("catalog", held, {"held_until": older(held["held_until"])})
        self.invoke("expire-reservations", self.scheduled)
        if "holding" in self.item("catalog", held):
            raise Late("a hold that is over has not been given back")

    def publish_what_was_left(self, service: str, relay: str) -> None:
        """An event that was not published is published by the sweep."""
        event = next((i for i in self.items(service) if "event" in i), None)
        if event is None:
            raise Late(f"{service} has no event")
        self.make_older(service, event, {"unsent": {"S": "0"}, "unsent_since": {"N": LONG_AGO}})
        self.invoke(relay, self.scheduled)
        if "unsent" in self.item(service, event):
            raise Late(f"{relay} has not published what was left")

    def until(self, what: str, is_done: Callable[[], bool]) -> None:
        """Waits for what queues bring about."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            if time.monotonic() > ends:
                raise Late(f"not done: {what}")
            time.sleep(LOOK_EVERY_SECONDS)

    def erase_who_stays_away(self) -> None:
        """Somebody who closed an account and ordered before is forgotten."""
        buyers = {i["user_id"]["S"] for i in self.items("orders") if "shipping_address" in i}
        closed = [i for i in self.items("users") if "closing" in i and i["id"]["S"] in buyers]
        if not closed:
            raise Incomplete("the tests have left no closed account of somebody who ordered")
        account, user = closed[0], closed[0]["id"]["S"]
        self.make_older("users", account, {"erase_at": {"N": LONG_AGO}})

        def is_gone() -> bool:
            # Events that are still on their way keep it for another round.
            self.invoke("erase-accounts", (self.events / "erase-accounts.json").read_text())
            key = self.key_of(account)
            found = self.database.get_item(TableName=self.tables["users"], Key=key, ConsistentRead=True)
            return "Item" not in found

        def is_out_of_orders() -> bool:
            orders = [i for i in self.items("orders") if i.get("user_id", {}).get("S") == user]
            names = {i["shipping_address"]["M"]["name"]["S"] for i in orders if "shipping_address" in i}
            return names == {ANONYMOUS}

        def is_told_nothing() -> bool:
            messages = [i for i in self.items("notifications") if i["pk"]["S"] == f"USER#{user}"]
            return not any(i["sk"]["S"].startswith("NOTIFICATION#") for i in messages)

        self.until("erasing an account", is_gone)
        self.until("taking a person out of the orders", is_out_of_orders)
        self.until("forgetting what a person was told", is_told_nothing)

    def windows(self) -> list[dict]:
        """The windows of all limits of the users service."""
        return [item for item in self.items("users") if item["pk"]["S"].startswith(WINDOW)]

    def begin_window(self, function: str) -> None:
        """The first request of a window, when it is this function's."""
        for window in self.windows():
            self.database.delete_item(TableName=self.tables["users"], Key=self.key_of(window))
        self.invoke(function, (self.events / f"{function}.json").read_text())
        if not self.windows():
            raise Late(f"{function} has counted no request")


def older(value: dict) -> dict:
    """A time long ago, of the kind that the item has."""
    return {"N": LONG_AGO} if "N" in value else {"S": "2001-09-09T01:46:40Z"}


def run(stack: Stack, events: Path) -> int:
    """Brings each about once; how many there were."""
    clockwork = Clockwork(stack, events)
    product = next((i for i in clockwork.items("catalog") if "stock" in i and "price" in i), None)
    if product is None:
        raise Incomplete("the tests have left no product with stock")
    clockwork.give_back_what_nobody_pays(product["id"]["S"])
    for service, relay in RELAYS.items():
        clockwork.publish_what_was_left(service, relay)
    clockwork.erase_who_stays_away()
    for function in LIMITED:
        clockwork.begin_window(function)
    return 2 + len(RELAYS) + len(LIMITED)
