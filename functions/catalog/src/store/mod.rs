//! The catalogue in DynamoDB. The only place in the service that knows it.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a category | `CATEGORIES` | `CATEGORY#<id>` |
//! | the name of a category, unique in its parent | `CATEGORY_NAMES#<parent>` | `<name>` |
//! | how many categories there are | `CATEGORIES_COUNT` | `COUNT` |
//! | a product, with its stock | `PRODUCT#<id>` | `PRODUCT` |
//! | an entry of a product in a list | `LIST#<facet>` | `<id>` |
//! | goods of an order | `RESERVATION#<order id>` | `RESERVATION` |
//! | an event | that of what it tells of | `EVENT#<id>` |
//!
//! The indexes `by-price` and `by-name` have the entries only, and `by-expiry`
//! the reservations only while they hold: an order writes to no index but that
//! and the outbox's.

use contracts::Envelope;
use dynamo::{Index, IndexKey, Keep, Key, TableSchema, Table, Transaction};
use kernel::{OrderId, ProductId};
use runtime::Environment;

mod categories;
mod list_query;
mod listing;
mod products;
mod reservations;

pub use categories::CreateCategoryRefusal;
pub use listing::{Found, Position};
pub(crate) use reservations::HOLDING_SHARDS;

/// The table's indexes.
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

/// The catalogue of the shop.
#[derive(Clone, Debug)]
pub struct CatalogStore {
    table: Table,
}

impl CatalogStore {
    /// The store on the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    /// The store on a table.
    pub const fn new(table: Table) -> Self {
        Self { table }
    }
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

/// Announces an event about what stands under `pk`.
fn announce(transaction: Transaction, pk: &str, event: &Envelope) -> Transaction {
    let key = event_key(pk, event);
    transaction.announce(&key.pk, &key.sk, event, Keep::ThirtyDays)
}
