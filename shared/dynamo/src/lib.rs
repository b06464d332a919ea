//! What all stores share, above the SDK: single-table keys, conditional writes,
//! transactions that name the condition that failed, queries and pages, the
//! outbox and its relay, idempotency records, rate limits and cursors.

#![warn(missing_docs)]

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
pub use limit::{Quota, RateLimit, hash_key};
pub use outbox::{Keep, OutboxItem, UNSENT_INDEX, UNSENT_SHARDS};
pub use query::{Query, QueryOutput};
pub use table::{Index, IndexKey, Item, Key, Table, TableSchema};
pub use transaction::{CommitError, ConditionFailed, Transaction};
