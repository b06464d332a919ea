//! Payments in DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a payment | `PAYMENT#<id>` | `PAYMENT` |
//! | its events | `PAYMENT#<id>` | `EVENT#<event id>` |

mod items;
mod transitions;

use dynamo::{Key, StoreError, Table, TableSchema};
use kernel::PaymentId;
use runtime::Environment;

pub use items::StoredPayment;

pub const SCHEMA: TableSchema = TableSchema { indexes: &[] };

const PAYMENT_SK: &str = "PAYMENT";

#[derive(Clone, Debug)]
pub struct PaymentStore {
    table: Table,
}

impl PaymentStore {
    /// Opens the table in `TABLE`.
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Reads a payment, strongly consistent.
    pub async fn find(&self, id: PaymentId) -> Result<Option<StoredPayment>, StoreError> {
        self.table.get(key(id)).await
    }

    /// Reads payments, in no particular order; missing ones are left out.
    pub async fn find_many(&self, ids: Vec<PaymentId>) -> Result<Vec<StoredPayment>, StoreError> {
        let keys = ids.into_iter().map(key).collect();
        self.table.get_many(keys, false).await
    }
}

fn partition(id: PaymentId) -> String {
    format!("PAYMENT#{id}")
}

fn key(id: PaymentId) -> Key {
    Key::new(partition(id), PAYMENT_SK)
}
