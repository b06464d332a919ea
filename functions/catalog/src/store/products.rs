use contracts::{Envelope, events::OrderLine};
use dynamo::{
    CommitError, Expression, OutboxItem, StoreError, Transaction,
    idempotency::{Claim, Effect},
};
use jiff::Timestamp;
use kernel::ProductId;
use serde::Serialize;

use super::{
    CatalogStore, announce, category_key, event_key, exists, list_entries::list_entries,
    product_key,
};
use crate::domain::{Product, ShareCondition, Transition};

#[derive(Serialize)]
struct ProductItem<'a> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    product: &'a Product,
}

/// Why a product cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateProductError {
    #[error("the category does not exist")]
    CategoryMissing,
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CreateProductError {
    /// What the attempt may have done.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::CategoryMissing => Effect::None,
            Self::ClaimLost => Effect::ClaimLost,
            Self::Store(_) => Effect::Unknown,
        }
    }
}

/// Why a stock cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum SetStockError {
    #[error("the stock has changed since it was read")]
    Changed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogStore {
    /// Reads a product, strongly consistent.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.get(product_key(id)).await
    }

    /// Reads a product for display: eventually consistent, at half the price.
    pub async fn peek_product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.table.peek(product_key(id)).await
    }

    /// Reads products, strongly consistent and in no particular order; missing
    /// ones are left out.
    pub async fn products(
        &self,
        ids: impl IntoIterator<Item = ProductId>,
    ) -> Result<Vec<Product>, StoreError> {
        let keys = ids.into_iter().map(product_key).collect();
        self.table.get_many(keys, true).await
    }

    /// Writes a new product and its list entries, announces it, and stores the reply
    /// under the idempotency key, if there is one.
    pub async fn create_product<R: Serialize>(
        &self,
        product: &Product,
        event: &Envelope,
        keyed: Option<(&Claim, &R)>,
    ) -> Result<(), CreateProductError> {
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
        for entry in list_entries(product) {
            transaction = transaction.insert("entry", &entry);
        }
        if let Some((claim, reply)) = keyed {
            transaction = transaction.complete(claim, reply);
        }
        match announce(transaction, &key.pk, event).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::ConditionFailed(failed)) if failed.includes("claim") => {
                Err(CreateProductError::ClaimLost)
            }
            // The id is new, so the existing product is this one, written by an
            // earlier attempt whose reply was lost.
            Err(CommitError::ConditionFailed(failed)) if failed.includes("product") => Ok(()),
            Err(CommitError::ConditionFailed(_)) => Err(CreateProductError::CategoryMissing),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Sets the stock of a product that was read as `current`, and announces it.
    pub async fn set_stock(
        &self,
        current: &Product,
        stock: u32,
        event: &Envelope,
    ) -> Result<(), SetStockError> {
        let key = product_key(current.id);
        let update = Expression::update("SET stock = :stock, updated_at = :now ADD version :one")
            .only_when("stock = :current")
            .value(":stock", stock)
            .value(":current", current.stock)
            .value(":now", event.time)
            .value(":one", 1);
        let transaction = self.table.transaction();
        let transaction = transaction.update("product", key.clone(), update);
        match announce(transaction, &key.pk, event).commit().await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event is written together with the change, so it shows whether
            // an earlier attempt, whose reply was lost, made the change.
            Err(CommitError::ConditionFailed(_)) => {
                let key = event_key(&key.pk, event);
                let announced: Option<OutboxItem> = self.table.get(key).await?;
                announced.map(drop).ok_or(SetStockError::Changed)
            }
        }
    }
}

/// Takes a line's goods out of the available stock. The condition also covers
/// the product's name and price, so the line has them as they are at the
/// very moment of the reservation; and what unverified buyers hold, if the
/// buyer is one of them.
pub(super) fn decrement_stock(
    transaction: Transaction,
    line: &OrderLine,
    share: Option<&ShareCondition>,
    now: Timestamp,
) -> Transaction {
    let update =
        match share {
            None => Expression::update(
                "SET stock = stock - :quantity, updated_at = :now ADD version :one",
            )
            .only_when("stock >= :quantity AND active = :yes AND #name = :name AND price = :price"),
            Some(share) => Expression::update(
                "SET stock = stock - :quantity, updated_at = :now \
             ADD version :one, held_unverified :quantity",
            )
            .only_when(
                "stock >= :least AND active = :yes AND #name = :name AND price = :price \
             AND (attribute_not_exists(held_unverified) OR held_unverified <= :held)",
            )
            .value(":least", share.stock_least)
            .value(":held", share.held_most),
        };
    let update = update
        .name("#name", "name")
        .value(":quantity", line.quantity)
        .value(":yes", true)
        .value(":name", &line.name)
        .value(":price", line.unit_price)
        .value(":now", now)
        .value(":one", 1);
    transaction.update("line", product_key(line.product_id), update)
}

/// Returns a line's goods to what the transition returns them to: the available
/// stock, and the share of unverified buyers. The condition keeps the update
/// from creating an item with nothing but numbers.
pub(super) fn return_goods(
    transaction: Transaction,
    line: &OrderLine,
    transition: &Transition,
) -> Transaction {
    let update = match (transition.restock, transition.frees_share) {
        (false, false) => return transaction,
        (true, false) => "SET stock = stock + :quantity, updated_at = :now ADD version :one",
        (true, true) => {
            "SET stock = stock + :quantity, held_unverified = held_unverified - :quantity, \
             updated_at = :now ADD version :one"
        }
        (false, true) => {
            "SET held_unverified = held_unverified - :quantity, updated_at = :now ADD version :one"
        }
    };
    let update = Expression::update(update)
        .only_when("attribute_exists(pk)")
        .value(":quantity", line.quantity)
        .value(":now", transition.reservation.updated_at)
        .value(":one", 1);
    transaction.update("line", product_key(line.product_id), update)
}
