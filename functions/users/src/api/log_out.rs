//! Signs a person out.

use std::sync::Arc;

use kernel::input::{FromInput, FieldErrors, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SignedIn, State},
};

use crate::{app::App, tokens::RefreshToken};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
];

/// The function `log-out`.
pub fn function() -> Function {
    endpoint().start(App::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<App>> {
    Endpoint::new("log-out", Access::SignedIn, GRANTS).post("/api/auth/logout", log_out)
}

/// What else is to be ended; one that is not a token of ours is nothing.
#[derive(Debug)]
pub struct LogOut {
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

/// Ends the session of the access token and, when there is one, that of the
/// refresh token. Both kinds of tokens are worth nothing from then on.
///
/// # Errors
/// None of its own.
pub async fn log_out(
    State(app): State<Arc<App>>,
    person: SignedIn,
    input: Option<Json<LogOut>>,
) -> Result<Reply, ApiError> {
    app.store
        .end_session(person.user_id, person.session_id)
        .await?;
    if let Some(token) = input.and_then(|Json(input)| input.token) {
        app.store
            .end_session_of_token(token.user_id, token.session_id, &token.hash())
            .await?;
    }
    Ok(Reply::done("signed out"))
}
