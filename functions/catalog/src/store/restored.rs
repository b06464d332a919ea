//! Whether the table was restored from an earlier time, and orders have not been
//! asked since what became of its reservations.

use dynamo::{CommitError, Expression, Key, StoreError};
use serde::de::IgnoredAny;

use super::CatalogStore;

/// The key of the item that `tools/copy_table.py` writes before it copies.
const RESTORED: &str = "RESTORED";

impl CatalogStore {
    /// Whether what the table says of reservations may be out of date: those that it
    /// shows as held may be sold.
    pub async fn is_restored(&self) -> Result<bool, StoreError> {
        let found: Option<IgnoredAny> = self.table.peek(key()).await?;
        Ok(found.is_some())
    }

    /// Records that all reservations agree with their orders again.
    pub async fn set_reconciled(&self) -> Result<(), StoreError> {
        match self.table.delete(key(), Expression::default()).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn key() -> Key {
    Key::new(RESTORED, RESTORED)
}
