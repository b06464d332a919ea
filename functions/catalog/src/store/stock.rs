//! The numbers of a product's stock, which change in transactions only.

use contracts::{Envelope, events::OrderLine};
use dynamo::{
    CommitError, Expression, Key, OutboxItem, StoreError, Transaction, idempotency::Claim,
};
use jiff::Timestamp;
use kernel::ProductId;
use serde::Serialize;

use super::{CatalogStore, announce, event_key, product_key, shards::shard_key};
use crate::domain::{Operation, Place, Product, STOCK_MAX, ShareCondition, Transition};

/// Why a stock is not adjusted.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// It has changed so that the adjustment has to be decided again.
    #[error("the stock has changed since it was read")]
    Changed,
    /// Another request has the idempotency key.
    #[error("the claim no longer holds")]
    ClaimLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An adjustment to be written.
#[derive(Debug)]
pub struct Adjusted<'a> {
    /// As it was read.
    pub product: &'a Product,
    pub operation: Operation,
    pub quantity: u32,
    /// The available stock in its shards, as it was read.
    pub in_shards: u32,
    /// Whether only if the product's numbers are what was read. Otherwise if the
    /// result is possible, whatever was sold meanwhile.
    pub is_exact: bool,
    pub event: &'a Envelope,
}

impl CatalogStore {
    /// Changes the stock of a product, announces it, and stores the reply under
    /// the idempotency key, if there is one.
    pub async fn adjust_stock<R: Serialize>(
        &self,
        adjusted: &Adjusted<'_>,
        reply: Option<(&Claim, &R)>,
    ) -> Result<(), AdjustError> {
        let key = product_key(adjusted.product.id);
        let transaction = self.table.transaction();
        let mut transaction = transaction.update("product", key.clone(), adjusted.expression());
        if let Some((claim, reply)) = reply {
            transaction = transaction.complete(claim, reply);
        }
        match announce(transaction, &key.pk, adjusted.event)
            .commit()
            .await
        {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            // The event is written together with the change, so it shows whether
            // an earlier attempt, whose reply was lost, made the change.
            Err(CommitError::ConditionFailed(failed)) => {
                let key = event_key(&key.pk, adjusted.event);
                let announced: Option<OutboxItem> = self.table.get(key).await?;
                match announced {
                    Some(_) => Ok(()),
                    None if failed.includes("claim") => Err(AdjustError::ClaimLost),
                    None => Err(AdjustError::Changed),
                }
            }
        }
    }
}

impl Adjusted<'_> {
    fn expression(&self) -> Expression {
        let product = self.product;
        let quantity = self.quantity;
        // On hand is what is available and what is held.
        let expression = match (self.operation, self.is_exact) {
            (Operation::Set, true) => {
                Expression::update("SET stock = :quantity, updated_at = :now ADD version :one")
                    .only_when(
                        "stock = :stock AND (attribute_not_exists(held) OR held = :held) \
                 AND (attribute_not_exists(shards) OR shards = :none)",
                    )
                    .value(":stock", product.stock)
                    .value(":held", product.held)
                    .value(":none", 0)
            }
            (Operation::Set, false) => Expression::update(
                "SET stock = :quantity - if_not_exists(held, :none), updated_at = :now \
                 ADD version :one",
            )
            .only_when(
                "attribute_exists(pk) AND (attribute_not_exists(held) OR held <= :quantity) \
                 AND (attribute_not_exists(shards) OR shards = :none)",
            )
            .value(":none", 0),
            (Operation::Increase, is_exact) => Expression::update(
                "SET stock = stock + :quantity, updated_at = :now ADD version :one",
            )
            .only_when(match is_exact {
                true => "stock = :limit",
                false => "stock <= :limit",
            })
            .value(
                ":limit",
                match is_exact {
                    true => product.stock,
                    false => STOCK_MAX.saturating_sub(self.in_shards.saturating_add(quantity)),
                },
            ),
            (Operation::Decrease, is_exact) => Expression::update(
                "SET stock = stock - :quantity, updated_at = :now ADD version :one",
            )
            .only_when(match is_exact {
                true => "stock = :limit",
                false => "stock >= :limit",
            })
            .value(":limit", if is_exact { product.stock } else { quantity }),
        };
        let quantity = match (self.operation, self.is_exact) {
            (Operation::Set, true) => quantity.saturating_sub(product.held),
            _ => quantity,
        };
        expression
            .value(":quantity", quantity)
            .value(":now", self.event.time)
            .value(":one", 1)
    }
}

fn place_key(product_id: ProductId, place: Place) -> (&'static str, Key) {
    match place {
        Place::Product => ("line", product_key(product_id)),
        Place::Shard(number) => ("shard", shard_key(product_id, number)),
    }
}

/// Takes a line's goods out of the available stock of a place, and counts them
/// as held there. The condition also covers the name and the price, so the line
/// has them as they are at the very moment of the reservation; and what
/// unverified buyers hold, if the buyer is one of them.
pub(super) fn hold_goods(
    transaction: Transaction,
    line: &OrderLine,
    place: Place,
    share: Option<&ShareCondition>,
    now: Timestamp,
) -> Transaction {
    let update = match share {
        None => Expression::update(
            "SET stock = stock - :quantity, updated_at = :now ADD version :one, held :quantity",
        )
        .only_when("stock >= :quantity AND active = :yes AND #name = :name AND price = :price"),
        Some(share) => Expression::update(
            "SET stock = stock - :quantity, updated_at = :now \
             ADD version :one, held :quantity, held_unverified :quantity",
        )
        .only_when(
            "stock >= :least AND active = :yes AND #name = :name AND price = :price \
             AND (attribute_not_exists(held_unverified) OR held_unverified <= :held)",
        )
        .value(":least", share.stock_least)
        .value(":held", share.held_most),
    };
    let (label, key) = place_key(line.product_id, place);
    transaction.update(label, key, terms(update, line, now))
}

/// Takes a line's goods out of the available stock of its product, without counting
/// them as held.
pub(super) fn take_goods(
    transaction: Transaction,
    line: &OrderLine,
    now: Timestamp,
) -> Transaction {
    let update =
        Expression::update("SET stock = stock - :quantity, updated_at = :now ADD version :one")
            .only_when("stock >= :quantity AND active = :yes AND #name = :name AND price = :price");
    let update = terms(update, line, now);
    transaction.update("line", product_key(line.product_id), update)
}

/// The values of a condition on what a line was sold as.
fn terms(update: Expression, line: &OrderLine, now: Timestamp) -> Expression {
    update
        .name("#name", "name")
        .value(":quantity", line.quantity)
        .value(":yes", true)
        .value(":name", &line.name)
        .value(":price", line.unit_price)
        .value(":now", now)
        .value(":one", 1)
}

/// How the numbers of a place change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    stock: i64,
    held: i64,
    held_unverified: i64,
}

impl Change {
    /// What a transition does where the goods of a line came from: they become
    /// available there, or are no longer counted as held.
    pub(super) fn add(&mut self, quantity: u32, transition: &Transition) {
        let when = |applies| if applies { i64::from(quantity) } else { 0 };
        self.stock += when(transition.restock);
        self.held -= when(transition.ends_hold);
        self.held_unverified -= when(transition.frees_share);
    }
}

/// The condition keeps the update from creating an item with nothing but numbers.
pub(super) fn change_goods(
    transaction: Transaction,
    (product_id, place): (ProductId, Place),
    change: Change,
    now: Timestamp,
) -> Transaction {
    if change == Change::default() {
        return transaction;
    }
    let update = match (change.held, change.held_unverified) {
        (0, 0) => Expression::update("SET updated_at = :now ADD stock :stock, version :one"),
        (_, 0) => {
            Expression::update("SET updated_at = :now ADD stock :stock, version :one, held :held")
                .value(":held", change.held)
        }
        _ => Expression::update(
            "SET updated_at = :now ADD stock :stock, version :one, held :held, \
             held_unverified :unverified",
        )
        .value(":held", change.held)
        .value(":unverified", change.held_unverified),
    };
    let update = update
        .only_when("attribute_exists(pk)")
        .value(":stock", change.stock)
        .value(":now", now)
        .value(":one", 1);
    let (label, key) = place_key(product_id, place);
    transaction.update(label, key, update)
}
