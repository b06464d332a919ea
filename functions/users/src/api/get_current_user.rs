//! Shows a person their own account.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};

use super::views::UserView;
use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

/// The function `get-current-user`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("get-current-user", Access::SignedIn, GRANTS)
        .get("/api/auth/me", get_current_user)
        .get("/api/users/profile", get_current_user)
}

/// The caller's own account, as it is now: a person who has just registered or
/// changed something expects to see it.
///
/// # Errors
/// 404 when the account was deleted meanwhile.
pub async fn get_current_user(
    State(app): State<Arc<App>>,
    person: SignedIn,
) -> Result<Reply, ApiError> {
    let user = app.store.user(person.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(Reply::ok("your account", &UserView::from(&user)))
}
