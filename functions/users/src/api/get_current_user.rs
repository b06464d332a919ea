//! Shows the caller's own account.

use std::sync::Arc;

use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Reply, SignedIn, State},
};

use super::support::{accounts::find_user, views::UserView};
use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

pub fn function() -> Function {
    Endpoint::new("get-current-user", Access::SignedIn, GRANTS)
        .get("/api/auth/me", get_current_user)
        .get("/api/users/profile", get_current_user)
        .start(App::start)
}

/// The caller's account, consistently read: somebody who has just registered or
/// changed something expects to see it.
///
/// # Errors
/// 404 when the account was deleted.
async fn get_current_user(
    State(app): State<Arc<App>>,
    caller: SignedIn,
) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, caller.user_id).await?;
    Ok(Reply::ok("your account", &UserView::from(&user)))
}
