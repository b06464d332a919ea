//! What the endpoints of the address book have in common.

use std::sync::Arc;

use kernel::UserId;
use runtime::http::ApiError;

use super::TRIES_MAX;
use crate::{
    app::App,
    domain::{AddressBook, ChangeAddressesError},
    store::StoreAddressesError,
};

/// Changes a person's book, and gives it as it then is.
pub(super) async fn change(
    app: &Arc<App>,
    user_id: UserId,
    change: impl Fn(&AddressBook) -> Result<AddressBook, ChangeAddressesError>,
) -> Result<AddressBook, ApiError> {
    for _ in 0..TRIES_MAX {
        let seen = app.store.addresses(user_id).await?;
        let book = change(&seen)?;
        if book == seen {
            return Ok(book);
        }
        match app.store.store_addresses(user_id, &book).await {
            Ok(()) => return Ok(book),
            Err(StoreAddressesError::Conflict) => {}
            Err(StoreAddressesError::Store(error)) => return Err(error.into()),
        }
    }
    Err(ApiError::conflict(
        "addresses_changed",
        "the address book is being changed elsewhere; try again",
    ))
}

impl From<ChangeAddressesError> for ApiError {
    fn from(error: ChangeAddressesError) -> Self {
        match error {
            ChangeAddressesError::Unknown => Self::not_found("address"),
            ChangeAddressesError::Full => Self::conflict("too_many_addresses", error.to_string()),
        }
    }
}
