//! Removes an address from the caller's address book.

use std::sync::Arc;

use kernel::AddressId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::address_book::change;
use crate::app::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

/// The function `remove-address`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("remove-address", Access::SignedIn, GRANTS)
        .delete("/api/users/addresses/{id}", remove_address)
}

/// Removes an address. When it was the default, the oldest of the others is.
///
/// # Errors
/// 404, also for an address in another book.
pub async fn remove_address(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<AddressId>,
) -> Result<Reply, ApiError> {
    change(&app, person.user_id, |book| book.without(id)).await?;
    Ok(Reply::done("address removed"))
}
