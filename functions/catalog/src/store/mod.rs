//! The catalog in DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a category | `CATEGORIES` | `CATEGORY#<id>` |
//! | the name of a category, unique in its parent | `CATEGORY_NAMES#<parent>` | `<name>` |
//! | the number of categories | `CATEGORIES_COUNT` | `COUNT` |
//! | a product, with its available stock | `PRODUCT#<id>` | `PRODUCT` |
//! | a shard of its stock, while it sells fast | `STOCK#<id>#<number>` | `STOCK` |
//! | the products with shards | `SHARDED` | `<id>` |
//! | an entry of a product in a list | `LIST#<facet>` | `<product id>` |
//! | the reservation of an order | `RESERVATION#<order id>` | `RESERVATION` |
//! | a restoration that is not reconciled | `RESTORED` | `RESTORED` |
//! | an event | the partition of its subject | `EVENT#<id>` |
//! | a reply under an idempotency key | `IDEMPOTENCY#<hash>` | `IDEMPOTENCY` |
//!
//! Only list entries are in the indexes `by-price` and `by-name`, and only held
//! reservations in `by-expiry`: an order writes to no index but that one and
//! the outbox's.

mod categories;
mod keys;
mod list_entries;
mod list_query;
mod products;
mod reservations;
mod restored;
mod search;
mod shards;
mod stock;

use contracts::Envelope;
use dynamo::{Expression, Index, IndexKey, Keep, Key, Table, TableSchema, Transaction};
use kernel::{CategoryId, OrderId, ProductId};
use runtime::Environment;

pub use categories::CreateCategoryError;
pub use products::CreateProductError;
pub use reservations::{ApplyTransitionError, EXPIRY_SHARDS, Settled};
pub use search::{Position, SearchPage};
pub use stock::{AdjustError, Adjusted};

pub const SCHEMA: TableSchema = TableSchema {
    indexes: &[
        Index {
            name: BY_PRICE,
            partition: "list",
            sort: IndexKey::Text("by_price"),
            projects_all: true,
        },
        Index {
            name: BY_NAME,
            partition: "list",
            sort: IndexKey::Text("by_name"),
            projects_all: true,
        },
        Index {
            name: BY_EXPIRY,
            partition: "holding",
            sort: IndexKey::Number("held_until"),
            projects_all: false,
        },
    ],
};

const BY_PRICE: &str = "by-price";
const BY_NAME: &str = "by-name";
const BY_EXPIRY: &str = "by-expiry";

const CATEGORIES: &str = "CATEGORIES";
const CATEGORY_PREFIX: &str = "CATEGORY#";

#[derive(Clone, Debug)]
pub struct CatalogStore {
    table: Table,
}

impl CatalogStore {
    /// Opens the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    pub const fn new(table: Table) -> Self {
        Self { table }
    }
}

fn category_key(id: CategoryId) -> Key {
    Key::new(CATEGORIES, format!("{CATEGORY_PREFIX}{id}"))
}

fn product_key(id: ProductId) -> Key {
    Key::new(format!("PRODUCT#{id}"), "PRODUCT")
}

fn reservation_key(id: OrderId) -> Key {
    Key::new(format!("RESERVATION#{id}"), "RESERVATION")
}

fn event_key(pk: &str, event: &Envelope) -> Key {
    Key::new(pk, format!("EVENT#{}", event.id))
}

fn exists() -> Expression {
    Expression::when("attribute_exists(pk)")
}

/// Announces an event whose subject is in the partition `pk`.
fn announce(transaction: Transaction, pk: &str, event: &Envelope) -> Transaction {
    let key = event_key(pk, event);
    transaction.announce(&key.pk, &key.sk, event, Keep::ThirtyDays)
}
