//! Shows a person's address book.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};

use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

/// The function `list-addresses`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("list-addresses", Access::SignedIn, GRANTS)
        .get("/api/users/addresses", list_addresses)
}

/// The caller's addresses, in the order in which they were added. There are
/// never more than [`crate::domain::ADDRESSES_MAX`], so it is no paged list.
///
/// # Errors
/// None of its own.
pub async fn list_addresses(
    State(app): State<Arc<App>>,
    person: SignedIn,
) -> Result<Reply, ApiError> {
    let book = app.store.addresses(person.user_id).await?;
    Ok(Reply::ok("your addresses", &book.entries()))
}
