//! Changes an address of the caller's address book.

use std::sync::Arc;

use kernel::AddressId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Json, Reply, SignedIn, State},
};

use super::address_book::change;
use crate::{app::App, domain::AddressInput};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
];

/// The function `change-address`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("change-address", Access::SignedIn, GRANTS)
        .put("/api/users/addresses/{id}", change_address)
}

/// Puts another address in the place of one, and makes it the default when
/// asked to.
///
/// # Errors
/// 404, also for an address in another book; 422 with every field that is
/// wrong.
pub async fn change_address(
    State(app): State<Arc<App>>,
    person: SignedIn,
    Id(id): Id<AddressId>,
    Json(input): Json<AddressInput>,
) -> Result<Reply, ApiError> {
    let book = change(&app, person.user_id, |book| book.changed(id, &input)).await?;
    Ok(Reply::ok("address changed", &book.find(id)))
}
