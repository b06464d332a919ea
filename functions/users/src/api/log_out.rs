//! Ends the caller's session.

use std::sync::Arc;

use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SignedIn, State},
};

use crate::{app::App, credentials::tokens::RefreshToken};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

pub fn function() -> Function {
    Endpoint::new("log-out", Access::SignedIn, GRANTS)
        .post("/api/auth/logout", log_out)
        .start(App::start)
}

#[derive(Debug)]
struct LogOut {
    /// `None` also for text that cannot be a token of ours, which ends nothing.
    token: Option<RefreshToken>,
}

impl FromInput for LogOut {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = fields.optional_with("refreshToken", |value| {
            Ok(RefreshToken::parse(&value.text()?))
        });
        fields.finish(|| {
            Some(Self {
                token: token.flatten(),
            })
        })
    }
}

/// Ends the session of the access token and, if one was sent, that of the refresh
/// token. The tokens of both are invalid at once.
async fn log_out(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    input: Option<Json<LogOut>>,
) -> Result<Reply, ApiError> {
    app.store
        .end_session(caller.user_id, caller.session_id)
        .await?;
    if let Some(token) = input.and_then(|Json(input)| input.token) {
        app.store
            .end_session_of_token(token.user_id, token.session_id, &token.hash())
            .await?;
    }
    Ok(Reply::done("signed out"))
}
