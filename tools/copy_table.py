#!/usr/bin/env python3
"""Copies all items of one DynamoDB table to another.

    tools/copy_table.py SOURCE TARGET

Used to restore a table from a point in time (docs/operations.md). Items with the
same key are replaced, and others are kept. Can be repeated.

A catalogue gets a mark first: until `emporium reconcile catalog` removes it, nothing
is reserved and no reservation expires, because what has been sold since would be
sold again.
"""

import sys
from datetime import datetime, timezone

import boto3

PROGRESS_ITEMS = 1000
# The key of the mark, and what the names of catalogues contain (functions/catalog).
RESTORED = "RESTORED"
CATALOGUE = "CatalogTable"


def items(table):
    """All items, page by page."""
    start = {}
    while True:
        page = table.scan(ConsistentRead=True, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def copy_table(source, target):
    """Copies all items and returns their number."""
    if source.key_schema != target.key_schema:
        raise ValueError(f"{source.name} and {target.name} have different key schemas")
    if CATALOGUE in target.name:
        at = datetime.now(timezone.utc).isoformat()
        target.put_item(Item={"pk": RESTORED, "sk": RESTORED, "at": at})
    copied = 0
    # The writer retries unprocessed items.
    with target.batch_writer() as writer:
        for item in items(source):
            writer.put_item(Item=item)
            copied += 1
            if copied % PROGRESS_ITEMS == 0:
                print(f"{copied} items", flush=True)
    return copied


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = map(boto3.resource("dynamodb").Table, sys.argv[1:])
    try:
        copied = copy_table(source, target)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{copied} items copied")
    return 0


if __name__ == "__main__":
    sys.exit(main())
