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

/// Adds an address; the first one is the default.
///
/// # Errors
/// 409 `too_many_addresses`; 422 with every field that is wrong.
pub async fn add_address(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Json(input): Json<AddressInput>,
) -> Result<Reply, ApiError> {
    let id = AddressId::generate();
    let book = change(&app, person.user_id, |book| book.with(id, &input)).await?;
    let location = format!("/api/users/addresses/{id}");
    Ok(Reply::created("address added", &location, &book.find(id)))
}
