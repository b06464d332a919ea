//! Shows an account to admins.

use std::sync::Arc;

use kernel::UserId;
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Id, Reply, State},
};

use super::support::{accounts::find_user, views::UserDetails};
use crate::app::App;

const GRANTS: &[Grant] = &[grant("dynamodb:GetItem", "UsersTable")];

pub fn function() -> Function {
    Endpoint::new("get-user", Access::AdminOrInternal, GRANTS)
        .get("/api/users/{id}", get_user)
        .start(App::start)
}

/// An account, with the time and address of the last login.
///
/// # Errors
/// 404.
async fn get_user(State(app): State<Arc<App>>, Id(id): Id<UserId>) -> Result<Reply, ApiError> {
    let user = find_user(&app.store, id).await?;
    Ok(Reply::ok("the user", &UserDetails::from(&user)))
}
