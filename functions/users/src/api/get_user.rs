//! Shows an account to those who run the shop.

use std::sync::Arc;

use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, State},
};

use super::views::UserDetails;
use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

/// The function `get-user`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("get-user", Access::AdminOrInternal, GRANTS).get("/api/users/{id}", get_user)
}

/// An account, with when and from where somebody last logged in.
///
/// # Errors
/// 404.
pub async fn get_user(State(app): State<Arc<App>>, Id(id): Id<UserId>) -> Result<Reply, ApiError> {
    let user = app.store.user(id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(Reply::ok("the user", &UserDetails::from(&user)))
}
