//! What every store does the same way, above the SDK: one-table keys,
//! conditions that decide, transactions that name the condition that failed,
//! the outbox, idempotency records and cursors.

mod attempts;
mod batch;
mod cursor;
mod error;
mod expression;
pub mod idempotency;
mod limit;
mod outbox;
mod query;
pub mod relay;
mod table;
mod transaction;

pub use attempts::Attempts;
pub use cursor::CursorKey;
pub use error::StoreError;
pub use expression::Expression;
pub use limit::{Quota, RateLimit};
pub use outbox::{Keep, OutboxItem, UNSENT_INDEX};
pub use query::{Query, QueryOutput};
pub use table::{Index, IndexKey, Item, Key, Table, TableSchema};
pub use transaction::{CommitError, ConditionFailed, Transaction};
