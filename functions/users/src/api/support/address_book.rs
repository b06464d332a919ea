//! Changing address books.

use dynamo::Attempts;
use kernel::UserId;
use runtime::http::ApiError;

use crate::{
    app::App,
    domain::{AddressBook, ChangeAddressesError},
    store::StoreAddressesError,
};

/// Applies a change to a user's address book and returns the result.
///
/// # Errors
/// That of the change; 409 `addresses_changed` when all attempts met conflicts.
pub(in crate::api) async fn change(
    app: &App,
    user_id: UserId,
    change: impl Fn(&AddressBook) -> Result<AddressBook, ChangeAddressesError>,
) -> Result<AddressBook, ApiError> {
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let seen = app.store.addresses(user_id).await?;
        let book = change(&seen)?;
        if book == seen {
            return Ok(book);
        }
        match app.store.store_addresses(user_id, &book).await {
            Ok(()) => return Ok(book),
            Err(StoreAddressesError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreAddressesError::Conflict.into())
}
