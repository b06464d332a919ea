//! Changes an address of the caller's address book.

use std::sync::Arc;

use kernel::AddressId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Json, Reply, SignedIn, State},
};

use super::support::address_book;
use crate::{app::App, domain::AddressInput};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("change-address", Access::SignedIn, GRANTS)
        .put("/api/users/addresses/{id}", change_address)
        .start(App::start)
}

/// Replaces an address, and makes it the default if the input says so.
///
/// # Errors
/// 404, also for an address of another user; 422 with every invalid field.
async fn change_address(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Id(id): Id<AddressId>,
    Json(input): Json<AddressInput>,
) -> Result<Reply, ApiError> {
    let book = address_book::change(&app, caller.user_id, |book| book.changed(id, &input)).await?;
    Ok(Reply::ok("address changed", &book.find(id)))
}
