//! The shards of products, and the list of products that have some.

use dynamo::{CommitError, Expression, Key, Outcome, StoreError, Transaction};
use jiff::Timestamp;
use kernel::{Money, ProductId};
use serde::Serialize;

use super::{CatalogStore, product_key};
use crate::domain::{Opening, Product, Shard, ShardCount};

/// The partition that lists the products with shards, so that none has to be
/// searched for.
const SHARDED: &str = "SHARDED";

#[derive(Serialize)]
struct ShardItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    shard: &'a Shard,
}

#[derive(Serialize)]
struct CountItem<'a> {
    pk: &'static str,
    sk: String,
    #[serde(flatten)]
    count: &'a ShardCount,
}

pub(super) fn shard_key(product_id: ProductId, number: u32) -> Key {
    Key::new(format!("STOCK#{product_id}#{number}"), "STOCK")
}

fn sharded_key(product_id: ProductId) -> Key {
    Key::new(SHARDED, product_id.to_string())
}

/// An update of a product under the condition that none of its shards has been
/// opened or folded since it was read.
fn with_same_shards(update: Expression, product: &Product) -> Expression {
    // The number of those ever opened only grows.
    if product.shards_opened == 0 {
        return update.only_when("attribute_exists(pk) AND attribute_not_exists(shards_opened)");
    }
    update
        .only_when("shards = :shards AND shards_opened = :opened")
        .value(":shards", product.shards)
        .value(":opened", product.shards_opened)
}

impl CatalogStore {
    /// Reads those shards that exist, strongly consistent and in no order.
    pub async fn shards(
        &self,
        product_id: ProductId,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<Vec<Shard>, StoreError> {
        let keys: Vec<Key> = numbers
            .into_iter()
            .map(|number| shard_key(product_id, number))
            .collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.table.get_many(keys, true).await
    }

    /// Opens shards for a product that was read as `product`, and moves goods
    /// into them.
    pub async fn open_shards(
        &self,
        product: &Product,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<Outcome, CommitError> {
        let count = opening.shards.len();
        let update = Expression::update(
            "SET stock = stock - :moved, shards = :shards_after, shards_opened = :opened_after, \
             updated_at = :now ADD version :one, shard_stock :moved",
        )
        .name("#name", "name")
        .value(":name", &product.name)
        .value(":price", product.price)
        .value(":active", product.active)
        .value(":moved", opening.moved)
        .value(":shards_after", u64::from(product.shards) + count as u64)
        .value(
            ":opened_after",
            u64::from(product.shards_opened) + count as u64,
        )
        .value(":now", now)
        .value(":one", 1);
        let update = if product.shards_opened == 0 {
            update.only_when(
                "stock >= :moved AND active = :active AND #name = :name AND price = :price \
                 AND attribute_not_exists(shards_opened)",
            )
        } else {
            update
                .only_when(
                    "stock >= :moved AND active = :active AND #name = :name AND price = :price \
                     AND shards = :shards AND shards_opened = :opened",
                )
                .value(":shards", product.shards)
                .value(":opened", product.shards_opened)
        };
        let mut transaction =
            self.table
                .transaction()
                .update("product", product_key(product.id), update);
        for shard in &opening.shards {
            let key = shard_key(shard.product_id, shard.number);
            let (pk, sk) = (key.pk, key.sk);
            transaction = transaction.insert("shard", &ShardItem { pk, sk, shard });
        }
        if product.shards == 0 {
            let count = ShardCount {
                product_id: product.id,
                changes: 0,
                counted_at: now,
            };
            transaction = count_shards(transaction, &count);
        }
        transaction.commit_once().await
    }

    /// Moves units out of shards to the product itself.
    pub async fn gather_goods(
        &self,
        product_id: ProductId,
        taken: &[(u32, u32)],
        now: Timestamp,
    ) -> Result<Outcome, CommitError> {
        let gathered: u32 = taken.iter().map(|(_, units)| units).sum();
        let update =
            Expression::update("SET stock = stock + :quantity, updated_at = :now ADD version :one")
                .only_when("attribute_exists(pk)")
                .value(":quantity", gathered)
                .value(":now", now)
                .value(":one", 1);
        let mut transaction =
            self.table
                .transaction()
                .update("product", product_key(product_id), update);
        for (number, units) in taken {
            let update = Expression::update(
                "SET stock = stock - :quantity, updated_at = :now ADD version :one",
            )
            .only_when("stock >= :quantity")
            .value(":quantity", units)
            .value(":now", now)
            .value(":one", 1);
            transaction = transaction.update("shard", shard_key(product_id, *number), update);
        }
        transaction.commit_once().await
    }

    /// Returns what is in the oldest shard of a product to the product itself,
    /// and deletes the shard. The last one takes the product off the list.
    pub async fn fold_shard(
        &self,
        product: &Product,
        shard: &Shard,
        now: Timestamp,
    ) -> Result<Outcome, CommitError> {
        let update = Expression::update(
            "SET shards = :after, shard_stock = :shard_stock, shard_held = :shard_held, \
             updated_at = :now \
             ADD stock :stock, held :held, held_unverified :unverified, version :one",
        )
        .value(
            ":shard_stock",
            if product.shards > 1 {
                product.shard_stock.saturating_sub(shard.stock)
            } else {
                0
            },
        )
        .value(
            ":shard_held",
            if product.shards > 1 {
                product.shard_held.saturating_sub(shard.held)
            } else {
                0
            },
        )
        .value(":after", product.shards.saturating_sub(1))
        .value(":stock", shard.stock)
        .value(":held", shard.held)
        .value(":unverified", shard.held_unverified)
        .value(":now", now)
        .value(":one", 1);
        let update = with_same_shards(update, product);
        let unchanged = Expression::when("version = :version").value(":version", shard.version);
        let key = shard_key(product.id, shard.number);
        let mut transaction = self
            .table
            .transaction()
            .update("product", product_key(product.id), update)
            .delete("shard", key, unchanged);
        if product.shards == 1 {
            let any = Expression::default();
            transaction = transaction.delete("listed", sharded_key(product.id), any);
        }
        transaction.commit_once().await
    }

    /// Changes the name, the price and whether a product is sold, of the product
    /// and of the copies in its shards. Nothing else may change them: a shard with other terms would
    /// never sell, and one with old terms would sell at the old price.
    pub async fn change_terms(
        &self,
        product: &Product,
        (name, price, active): (&str, Money, bool),
        now: Timestamp,
    ) -> Result<(), CommitError> {
        const CHANGE: &str = "SET #name = :name, price = :price, active = :active, \
             updated_at = :now ADD version :one";
        let change = |update: Expression| {
            update
                .name("#name", "name")
                .value(":name", name)
                .value(":price", price)
                .value(":active", active)
                .value(":now", now)
                .value(":one", 1)
        };
        let update = with_same_shards(change(Expression::update(CHANGE)), product);
        let mut transaction =
            self.table
                .transaction()
                .update("product", product_key(product.id), update);
        for number in product.shard_numbers() {
            let update = change(Expression::update(CHANGE)).only_when("attribute_exists(pk)");
            transaction = transaction.update("shard", shard_key(product.id, number), update);
        }
        transaction.commit().await
    }

    /// The products that have shards, with what was known of them a minute ago.
    pub async fn sharded_products(&self, limit: usize) -> Result<Vec<ShardCount>, StoreError> {
        self.table.list(SHARDED, "", limit).await
    }

    /// Records how many goods are in a product's shards, for those who only show it, and how often
    /// the shards have changed. Does nothing when it has no shards any more, or others.
    pub async fn record_count(
        &self,
        product: &Product,
        (stock, held): (u32, u32),
        count: &ShardCount,
    ) -> Result<Outcome, CommitError> {
        let update = Expression::update("SET shard_stock = :stock, shard_held = :held")
            .value(":stock", stock)
            .value(":held", held);
        let update = with_same_shards(update, product);
        let transaction =
            self.table
                .transaction()
                .update("product", product_key(product.id), update);
        count_shards(transaction, count).commit_once().await
    }
}

fn count_shards(transaction: Transaction, count: &ShardCount) -> Transaction {
    let key = sharded_key(count.product_id);
    let item = CountItem {
        pk: SHARDED,
        sk: key.sk,
        count,
    };
    transaction.put("listed", &item, Expression::default())
}
