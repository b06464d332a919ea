//! Adds an address to the caller's address book.

use std::sync::Arc;

use kernel::AddressId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SignedIn, State},
};

use super::address_book::change;
use crate::{app::App, domain::AddressInput};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

/// The function `add-address`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("add-address", Access::SignedIn, GRANTS).post("/api/users/addresses", add_address)
}

/// Adds an address; the first one is the default. One that is in the book
/// already is not added again: whoever got no reply can send the same once more.
///
/// # Errors
/// 409 `too_many_addresses`; 422 with every field that is wrong.
pub async fn add_address(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Json(input): Json<AddressInput>,
) -> Result<Reply, ApiError> {
    let id = testkit::new_id::<AddressId>();
    let book = change(&app, person.user_id, |book| book.with(id, &input)).await?;
    let entry = book.like(&input);
    if let Some(there) = entry.filter(|entry| entry.id != id) {
        return Ok(Reply::ok("the address is there already", there));
    }
    let location = format!("/api/users/addresses/{id}");
    Ok(Reply::created("address added", &location, &entry))
}
