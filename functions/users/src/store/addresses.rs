//! Address books: each is one item that is replaced as a whole.

use dynamo::{CommitError, Expression, StoreError};
use kernel::UserId;

use super::{
    Store,
    rows::{Row, addresses_key},
};
use crate::domain::AddressBook;

#[derive(Debug, thiserror::Error)]
pub enum StoreAddressesError {
    #[error("the address book was changed concurrently")]
    Conflict,
    #[error("store the address book")]
    Store(#[from] StoreError),
}

impl Store {
    /// A user's address book; empty when none is stored.
    pub async fn addresses(&self, user_id: UserId) -> Result<AddressBook, StoreError> {
        let book = self.table.get(addresses_key(user_id)).await?;
        Ok(book.unwrap_or_default())
    }

    /// Stores the next version of an address book, unless another request did.
    pub async fn store_addresses(
        &self,
        user_id: UserId,
        book: &AddressBook,
    ) -> Result<(), StoreAddressesError> {
        let unchanged = Expression::when("attribute_not_exists(pk) OR version = :seen")
            .value(":seen", book.version.saturating_sub(1));
        let row = Row::new(addresses_key(user_id), book);
        match self.table.put(&row, unchanged).await {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(failed)) => {
                match failed.item::<AddressBook>("item")? {
                    // The reply to this put was lost, and the SDK repeated it.
                    Some(found) if found == *book => Ok(()),
                    _ => Err(StoreAddressesError::Conflict),
                }
            }
        }
    }
}
