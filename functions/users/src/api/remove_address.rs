//! Removes an address from the caller's address book.

use std::sync::Arc;

use kernel::AddressId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, SignedIn, State},
};

use super::support::address_book;
use crate::app::App;

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("remove-address", Access::SignedIn, GRANTS)
        .delete("/api/users/addresses/{id}", remove_address)
        .start(App::start)
}

/// Removes an address. If it was the default, the oldest of the others becomes it.
///
/// # Errors
/// 404, also for an address of another user.
async fn remove_address(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<AddressId>,
) -> Result<Reply, ApiError> {
    address_book::change(&app, caller.user_id, |book| book.without(id)).await?;
    Ok(Reply::done("address removed"))
}
