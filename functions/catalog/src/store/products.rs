//! Products and their stock.

use contracts::Envelope;
use dynamo::{CommitError, Expression, OutboxItem, StoreError, Transaction};
use jiff::Timestamp;
use kernel::ProductId;
use serde::Serialize;

use super::{
    CatalogStore, announce,
    categories::{category_key, exists},
    event_key,
    listing::entries_of,
    product_key,
};
use crate::domain::Product;

#[derive(Serialize)]
struct ProductItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    product: &'a Product,
}

impl CatalogStore {
    /// A product as a decision needs it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.get(product_key(id)).await
    }

    /// A product to be shown: at half the price, and perhaps a moment old.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn peek_product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.peek(product_key(id)).await
    }

    /// Products as a decision needs them, in no order; those that are not
    /// there are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn products(
        &self,
        ids: impl IntoIterator<Item = ProductId>,
    ) -> Result<Vec<Product>, StoreError> {
        let keys = ids.into_iter().map(product_key).collect();
        self.table.get_many(keys, true).await
    }

    /// Writes a new product and its entry in every list, and announces it.
    /// Refused when its category is not there any more.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn create_product(
        &self,
        product: &Product,
        event: &Envelope,
    ) -> Result<(), CommitError> {
        let key = product_key(product.id);
        let item = ProductItem {
            pk: key.pk.clone(),
            sk: key.sk,
            product,
        };
        let category = category_key(product.category_id);
        let mut transaction =
            self.table
                .transaction()
                .insert("product", &item)
                .check("category", category, exists());
        for entry in entries_of(product) {
            transaction = transaction.insert("entry", &entry);
        }
        announce(transaction, &key.pk, event).commit().await
    }

    /// Sets a product's stock from what it was read as, and announces it.
    /// Refused when it is another one meanwhile.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn adjust_stock(
        &self,
        seen: &Product,
        stock: u32,
        event: &Envelope,
    ) -> Result<(), CommitError> {
        let key = product_key(seen.id);
        let set = Expression::update("SET stock = :stock, updated_at = :now ADD version :one")
            .only_when("stock = :seen")
            .value(":stock", stock)
            .value(":seen", seen.stock)
            .value(":now", event.time)
            .value(":one", 1);
        let transaction = self.table.transaction();
        let transaction = transaction.update("product", key.clone(), set);
        announce(transaction, &key.pk, event).commit().await
    }

    /// Whether an event about a product was written, and with it what it
    /// tells of.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_announced(&self, id: ProductId, event: &Envelope) -> Result<bool, StoreError> {
        let key = event_key(&product_key(id).pk, event);
        let found: Option<OutboxItem> = self.table.get(key).await?;
        Ok(found.is_some())
    }
}

/// Takes goods out of a product's stock, if there are enough, it can be
/// ordered, and it is what the line says: so the name and the price in the
/// line are those of the very moment at which the goods are taken.
pub(super) fn take(
    transaction: Transaction,
    line: &contracts::events::OrderLine,
    now: Timestamp,
) -> Transaction {
    let take =
        Expression::update("SET stock = stock - :quantity, updated_at = :now ADD version :one")
            .only_when("stock >= :quantity AND active = :yes AND #name = :name AND price = :price")
            .name("#name", "name")
            .value(":quantity", line.quantity)
            .value(":yes", true)
            .value(":name", &line.name)
            .value(":price", line.unit_price)
            .value(":now", now)
            .value(":one", 1);
    transaction.update("line", product_key(line.product_id), take)
}

/// Gives goods back into a product's stock. A product is never removed while
/// goods of it are out, so that it is always there to take them back.
pub(super) fn give_back(
    transaction: Transaction,
    line: &contracts::events::OrderLine,
    now: Timestamp,
) -> Transaction {
    let give =
        Expression::update("SET stock = stock + :quantity, updated_at = :now ADD version :one")
            .only_when("attribute_exists(pk)")
            .value(":quantity", line.quantity)
            .value(":now", now)
            .value(":one", 1);
    transaction.update("line", product_key(line.product_id), give)
}
