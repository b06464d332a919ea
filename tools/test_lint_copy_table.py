"""Tests of copy_table.py, on tables in memory."""

import unittest
from contextlib import contextmanager

import copy_table


class Table:
    key_schema = ["pk", "sk"]

    def __init__(self, name, items=()):
        self.name = name
        self.items = list(items)

    def scan(self, **_):
        return {"Items": list(self.items)}

    def put_item(self, Item):
        self.items.append(Item)

    @contextmanager
    def batch_writer(self):
        yield self


class CopyTable(unittest.TestCase):
    def copy(self, target):
        source = Table("shop-restored", [{"pk": "a", "sk": "a"}])
        table = Table(target)
        copy_table.copy_table(source, table)
        return [item["pk"] for item in table.items]

    def test_a_catalogue_is_marked_before_anything_is_copied(self):
        self.assertEqual(self.copy("emporium-prod-CatalogTable-1A2B"), ["RESTORED", "a"])

    def test_other_tables_are_not_marked(self):
        self.assertEqual(self.copy("emporium-prod-OrdersTable-1A2B"), ["a"])


if __name__ == "__main__":
    unittest.main()
