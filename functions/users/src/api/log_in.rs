//! Signs a person in.

use std::sync::Arc;

use kernel::input::{FromInput, Refusals, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, SourceIp, State},
};

use super::{errors::invalid_credentials, views::SignedInView};
use crate::{
    app::SignIns,
    domain::{EMAIL_LENGTH_MAX, Email, Password},
    passwords,
    store::LogIn,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

/// The function `log-in`.
pub fn function() -> Function {
    endpoint().start(SignIns::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<SignIns>> {
    Endpoint::new("log-in", Access::Public, GRANTS)
        .post("/api/auth/login", log_in)
        .post("/api/users/login", log_in)
}

/// What a person says to log in.
#[derive(Debug)]
pub struct Credentials {
    /// Normalised, but not checked: what is not an address is nobody's.
    email: String,
    password: Password,
}

impl FromInput for Credentials {
    fn from_input(value: Value<'_>) -> Result<Self, Refusals> {
        let mut fields = value.fields()?;
        let email = fields.required_with("email", |value| {
            let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?;
            Ok(Email::normalise(&text))
        });
        let password = fields.required_with("password", Password::attempt);
        fields.finish(|| {
            Some(Self {
                email: email?,
                password: password?,
            })
        })
    }
}

/// Signs a person in.
///
/// An unknown address, a wrong password, an account that is not active and a
/// locked address have the same reply after the same work: two reads, one
/// hash, one write. The lock is looked at before the hash, but acted on after.
///
/// # Errors
/// 401 `invalid_credentials`; 422 with every field that is wrong.
pub async fn log_in(
    State(app): State<Arc<SignIns>>,
    SourceIp(ip): SourceIp,
    Json(input): Json<Credentials>,
) -> Result<Reply, ApiError> {
    let candidate = app.store.candidate(&input.email).await?;
    let verdict = passwords::verify(input.password.clone(), candidate.password_hash()).await?;
    let now = app.clock.now();
    let Some((user, outdated)) = candidate.admitted(verdict, now) else {
        app.store.count_failure(&input.email, now).await?;
        return Err(invalid_credentials());
    };
    let rehashed = match outdated {
        true => Some(passwords::hash(input.password).await?),
        false => None,
    };
    let (session, refresh) = app.new_session(&user, now)?;
    let log_in = LogIn {
        user: &user,
        session: &session,
        rehashed,
        ip,
    };
    app.store.log_in(log_in).await?;
    let view = SignedInView::new(&app, &user, &session, &refresh)?;
    Ok(Reply::ok("signed in", &view))
}
