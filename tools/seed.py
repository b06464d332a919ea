#!/usr/bin/env python3
"""Loads tools/catalogue.json into a shop through its public API.

    BASE_URL=https://… INTERNAL_KEY=… python3 tools/seed.py [--limit N] [--workers N]

Can be repeated at any time: existing categories and products are left unchanged.
Exits with status 1 if anything could not be loaded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from shop import PAGE_LIMIT, Json, Shop, ShopError, Unreachable

CATALOGUE = Path(__file__).with_name("catalogue.json")
# How old the shop's list of categories may be.
CATEGORIES_AGE_SECONDS = 5
# How often the creation of a product is attempted if there is no reply.
CREATE_ATTEMPTS_MAX = 3
FAILURES_SHOWN_MAX = 20


@dataclass
class Tally:
    """Counts what happened to the catalogue."""

    categories_created: int = 0
    categories_found: int = 0
    products_created: int = 0
    products_found: int = 0
    failures: list[str] = field(default_factory=list)

    def summary(self, elapsed_s: float) -> str:
        return (
            f"categories: {self.categories_created} created, {self.categories_found} already present; "
            f"products: {self.products_created} created, {self.products_found} already present; "
            f"{len(self.failures)} failed; {elapsed_s:.1f} s"
        )


class Progress:
    """A bar on a terminal, and a line for every tenth of the work elsewhere."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._tty = sys.stdout.isatty()

    def advance(self) -> None:
        before, self._done = self._done, self._done + 1
        if self._tty:
            self._draw()
        elif self._done * 10 // self._total > before * 10 // self._total:
            print(f"{self._label}: {self._done} of {self._total}", flush=True)

    def _draw(self) -> None:
        counts = f" {self._done}/{self._total}"
        width = max(10, min(50, shutil.get_terminal_size().columns - len(self._label) - len(counts) - 4))
        filled = width * self._done // self._total
        end = "\n" if self._done == self._total else ""
        print(f"\r{self._label} [{'#' * filled}{'.' * (width - filled)}]{counts}", end=end, flush=True)


def main() -> int:
    options = parse_arguments()
    try:
        shop = Shop.from_environment()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"), parse_float=Decimal)
    products = spread(catalogue["products"])[: options.limit]
    print(f"Loading {len(products)} products into {shop.base_url}", flush=True)

    started = time.monotonic()
    tally = Tally()
    try:
        category_ids = load_categories(shop, catalogue["categories"], tally)
        load_products(shop, products, category_ids, options.workers, tally)
    except (ShopError, Unreachable) as error:
        # Without the categories, or without knowing what is present, continuing
        # would only fail more often or create duplicates.
        tally.failures.append(f"{error}{hint(error)}")
    except KeyboardInterrupt:
        print("\nInterrupted; run it again to load the rest.")
        return 130

    for failure in tally.failures[:FAILURES_SHOWN_MAX]:
        print(f"failed: {failure}", file=sys.stderr)
    if len(tally.failures) > FAILURES_SHOWN_MAX:
        print(f"failed: and {len(tally.failures) - FAILURES_SHOWN_MAX} more", file=sys.stderr)
    print(tally.summary(time.monotonic() - started))
    return 1 if tally.failures else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Loads the catalogue through the public API.",
        epilog="BASE_URL and INTERNAL_KEY select the shop and authenticate; the default is the local shop.",
    )
    parser.add_argument("--limit", type=at_least_one, metavar="N", help="load N products, from all categories")
    parser.add_argument("--workers", type=at_least_one, default=4, metavar="N", help="parallel requests (4)")
    return parser.parse_args()


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def hint(error: Exception) -> str:
    if isinstance(error, Unreachable):
        return " (is the shop running, and is BASE_URL correct?)"
    if isinstance(error, ShopError) and error.reply.status in (401, 403):
        return " (is INTERNAL_KEY correct?)"
    return ""


def spread(products: list[Json]) -> list[Json]:
    """One product of each category in turn, so that a small part covers all categories."""
    by_category: dict[str, list[Json]] = {}
    for product in products:
        by_category.setdefault(product["category"], []).append(product)
    rounds = itertools.zip_longest(*by_category.values())
    return [product for turn in rounds for product in turn if product is not None]


def load_categories(shop: Shop, categories: list[Json], tally: Tally) -> dict[str, str]:
    """Creates missing categories and returns all ids by slug."""
    progress = Progress("Categories", len(categories))
    known = list_categories(shop)
    ids: dict[str, str] = {}
    for category in parents_first(categories):
        parent_id = ids.get(category["parent"]) if category["parent"] else None
        found = find_category(known, category["name"], parent_id)
        if found is None:
            found, created = create_category(shop, category, parent_id)
            known.append(found)
        else:
            created = False
        if created:
            tally.categories_created += 1
        else:
            tally.categories_found += 1
        ids[category["slug"]] = found["id"]
        progress.advance()
    return ids


def list_categories(shop: Shop) -> list[Json]:
    return list(shop.pages("/api/categories"))


def find_category(known: list[Json], name: str, parent_id: str | None) -> Json | None:
    return next((c for c in known if c["name"] == name and c.get("parentId") == parent_id), None)


def create_category(shop: Shop, category: Json, parent_id: str | None) -> tuple[Json, bool]:
    """Returns the category as the shop has it, and whether it was created now."""
    body = {"name": category["name"], "description": category["description"]}
    if parent_id:
        body["parentId"] = parent_id
    try:
        return shop.call("POST", "/api/categories", body, internal=True).data, True
    except ShopError as error:
        if error.reply.code != "category_exists":
            raise
        # Another run created it meanwhile, or the shop compares names less strictly.
        for _ in range(CATEGORIES_AGE_SECONDS + 1):
            known = list_categories(shop)
            found = find_category(known, category["name"], parent_id) or next(
                (c for c in known if c["name"].casefold() == category["name"].casefold()), None
            )
            if found is not None:
                return found, False
            time.sleep(1)
        raise


def parents_first(categories: list[Json]) -> list[Json]:
    """Sorts categories so that parents are created before their children."""
    by_slug = {category["slug"]: category for category in categories}

    def depth(category: Json) -> int:
        return 0 if category["parent"] is None else 1 + depth(by_slug[category["parent"]])

    return sorted(categories, key=depth)


def load_products(shop: Shop, products: list[Json], category_ids: dict[str, str], workers: int, tally: Tally) -> None:
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            slugs = sorted({product["category"] for product in products})
            names = pool.map(lambda slug: names_in(shop, category_ids[slug]), slugs)
            present = dict(zip(slugs, names, strict=True))
            missing = [p for p in products if p["name"] not in present[p["category"]]]
            tally.products_found = len(products) - len(missing)

            pending: dict[Future[None], Json] = {
                pool.submit(create_product, shop, product, category_ids[product["category"]]): product
                for product in missing
            }
            progress = Progress("Products", len(missing))
            for future in as_completed(pending):
                try:
                    future.result()
                    tally.products_created += 1
                except (ShopError, Unreachable) as error:
                    tally.failures.append(f"{pending[future]['name']}: {error}")
                progress.advance()
        except BaseException:
            # Ctrl-C should not wait for hundreds of products.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def names_in(shop: Shop, category_id: str) -> set[str]:
    """The names of the products that are directly in a category."""
    query = {"category": category_id, "limit": PAGE_LIMIT}
    listed = shop.pages("/api/products", query)
    return {product["name"] for product in listed if product["categoryId"] == category_id}


def create_product(shop: Shop, product: Json, category_id: str) -> None:
    """Creates a product exactly once, even if a reply is lost."""
    body = {key: product[key] for key in ("name", "description", "price", "currency", "stock", "tags")}
    body["categoryId"] = category_id
    for attempt in range(1, CREATE_ATTEMPTS_MAX + 1):
        try:
            shop.call("POST", "/api/products", body, internal=True)
            return
        except (ShopError, Unreachable) as error:
            rejected = isinstance(error, ShopError) and error.reply.status < 500
            if rejected or attempt == CREATE_ATTEMPTS_MAX:
                raise
        # It may have been written, so check before the next attempt.
        time.sleep(attempt)
        if product["name"] in names_in(shop, category_id):
            return


if __name__ == "__main__":
    sys.exit(main())
