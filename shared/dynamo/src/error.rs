//! Failures of the store.

use runtime::{Error, Failure, metrics::Dependency};

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call was refused, failed, or had no answer in time.
    #[error("{operation} failed")]
    Call {
        /// Which call.
        operation: &'static str,
        /// What the SDK says.
        #[source]
        source: Error,
    },
    /// Others kept writing the same items, through all attempts.
    #[error("{operation} met conflicts in all {attempts} attempts")]
    Contended {
        /// Which call.
        operation: &'static str,
        /// How often it was attempted.
        attempts: u32,
    },
    /// An item does not have the expected attributes.
    #[error("an item cannot be read")]
    Item(#[from] serde_dynamo::Error),
}

impl StoreError {
    /// A call that failed, which is counted as a dependency error. A condition
    /// that failed is no failure, and does not come here.
    pub fn call(operation: &'static str, source: impl Into<Error>) -> Self {
        Dependency::DynamoDb.failed();
        Self::Call {
            operation,
            source: source.into(),
        }
    }
}

impl Failure for StoreError {
    fn is_defect(&self) -> bool {
        matches!(self, Self::Item(_))
    }
}
