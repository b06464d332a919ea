//! Adds an address to the caller's address book.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SignedIn, State},
};

use super::support::address_book;
use crate::{app::App, domain::AddressInput};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("add-address", Access::SignedIn, GRANTS)
        .post("/api/users/addresses", add_address)
        .start(App::start)
}

/// Adds an address; the first one is the default. An address that the book already
/// has is returned with 200, so a client that got no reply can repeat the request.
///
/// # Errors
/// 409 `too_many_addresses`; 422 with every invalid field.
async fn add_address(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Json(input): Json<AddressInput>,
) -> Result<Reply, ApiError> {
    let id = app.host.new_id();
    let book = address_book::change(&app, caller.user_id, |book| book.with(id, &input)).await?;
    let entry = book.find_equal(&input);
    if let Some(existing) = entry.filter(|entry| entry.id != id) {
        return Ok(Reply::ok("the address already exists", existing));
    }
    let location = format!("/api/users/addresses/{id}");
    Ok(Reply::created("address added", &location, &entry))
}
