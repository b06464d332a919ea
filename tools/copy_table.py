#!/usr/bin/env python3
"""Puts every item of one DynamoDB table into another.

    tools/copy_table.py FROM TO

For putting a table back from a point in time (docs/operations.md). Items of the
same key are replaced, others stay. Can be run again.
"""

import sys

import boto3

PROGRESS_ITEMS = 1000


def items(table):
    """Every item, page by page."""
    start = {}
    while True:
        page = table.scan(ConsistentRead=True, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def copy_table(source, target):
    """Copies; gives how many items there were."""
    if source.key_schema != target.key_schema:
        raise ValueError(f"{source.name} and {target.name} have different keys")
    copied = 0
    # The writer tries again what DynamoDB leaves over.
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
