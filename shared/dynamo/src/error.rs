//! What can go wrong with a store that no condition explains.

use runtime::{Error, http::ApiError, metrics::Dependency};

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
    /// Others kept writing the same items, through all tries.
    #[error("{operation} met conflicts through all {attempts} tries")]
    Contended {
        /// Which call.
        operation: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// An item is not what it should be.
    #[error("an item does not read")]
    Item(#[from] serde_dynamo::Error),
}

impl StoreError {
    /// A call failed, which is counted among what the shop needs. What a
    /// condition refused is no failure, and does not come here.
    pub fn call(operation: &'static str, source: impl Into<Error>) -> Self {
        Dependency::DynamoDb.failed();
        Self::Call {
            operation,
            source: source.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Item(_) => Self::internal(error),
            StoreError::Call { .. } | StoreError::Contended { .. } => Self::store(error),
        }
    }
}
