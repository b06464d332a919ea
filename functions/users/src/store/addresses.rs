//! A person's address book: one item, changed as a whole.

use dynamo::{CommitError, Expression, StoreError};
use kernel::UserId;

use super::{
    Store,
    rows::{Row, addresses_key},
};
use crate::domain::AddressBook;

/// Why an address book was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreAddressesError {
    /// It was changed meanwhile.
    #[error("the address book was changed meanwhile")]
    Conflict,
    /// The store failed.
    #[error("store the address book")]
    Store(#[from] StoreError),
}

impl Store {
    /// A person's address book; empty when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn addresses(&self, user_id: UserId) -> Result<AddressBook, StoreError> {
        let book = self.table.get(addresses_key(user_id)).await?;
        Ok(book.unwrap_or_default())
    }

    /// Stores the next version of a book, unless somebody else did.
    ///
    /// # Errors
    /// [`StoreAddressesError`].
    pub async fn store_addresses(
        &self,
        user_id: UserId,
        book: &AddressBook,
    ) -> Result<(), StoreAddressesError> {
        let next = Expression::when("attribute_not_exists(pk) OR version = :seen")
            .value(":seen", book.version.saturating_sub(1));
        let row = Row::new(addresses_key(user_id), book);
        match self.table.put(&row, next).await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(refused)) => match refused.item::<AddressBook>("item")? {
                // The reply to this very put was lost, and the SDK repeated it.
                Some(found) if found == *book => Ok(()),
                _ => Err(StoreAddressesError::Conflict),
            },
        }
    }
}
