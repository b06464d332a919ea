//! Shows the caller's address book.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};

use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

pub fn function() -> Function {
    Endpoint::new("list-addresses", Access::SignedIn, GRANTS)
        .get("/api/users/addresses", list_addresses)
        .start(App::start)
}

/// The caller's addresses, oldest first. Not paged: there are at most
/// [`crate::domain::ADDRESSES_MAX`].
async fn list_addresses(State(app): State<Arc<App>>, caller: SignedIn) -> Result<Reply, ApiError> {
    let book = app.store.addresses(caller.user_id).await?;
    Ok(Reply::ok("your addresses", &book.entries()))
}
