//! Signs a person in.

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::{HeaderMap, header};
use kernel::input::{FromInput, Refusals, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Header, Json, Reply, SourceIp, State},
};

use super::{
    errors::invalid_credentials, limits::WithinLimits, paced::until_whole_step, views::SignedInView,
};
use crate::{
    app::SignIns,
    domain::{EMAIL_LENGTH_MAX, Email, Password},
    passwords,
    store::{LogIn, StoreLogInError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

/// Tries to log in while others log in to the same account: each try lets at
/// least one of them through.
const TRIES_MAX: u32 = 20;
/// When to come again if even that was not enough, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

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
/// locked address have the same reply after the same work and time: two reads,
/// one hash, one write, and the rest of the step. The lock is looked at before
/// the hash, but acted on after.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 401 `invalid_credentials`; 422 with every field that is wrong.
pub async fn log_in(
    State(app): State<Arc<SignIns>>,
    _: WithinLimits,
    SourceIp(ip): SourceIp,
    Header(headers): Header,
    Json(input): Json<Credentials>,
) -> Result<Reply, ApiError> {
    let begun = Instant::now();
    let outcome = sign_in(&app, &input, ip, device(&headers)).await;
    if outcome.is_err() {
        until_whole_step(begun).await;
    }
    outcome
}

async fn sign_in(
    app: &SignIns,
    input: &Credentials,
    ip: Option<IpAddr>,
    device: Option<&str>,
) -> Result<Reply, ApiError> {
    let mut candidate = app.store.candidate(&input.email).await?;
    let hash = candidate.password_hash();
    let verdict = passwords::verify(input.password.clone(), hash.clone()).await?;
    let mut rehashed = None;
    for _ in 0..TRIES_MAX {
        let now = app.clock.now();
        let Some(admitted) = candidate.admitted(verdict, now) else {
            app.store.count_failure(&input.email, now).await?;
            return Err(invalid_credentials());
        };
        if admitted.outdated && rehashed.is_none() {
            rehashed = Some(passwords::hash(input.password.clone()).await?);
        }
        let user = admitted.user;
        let (session, refresh) = app.new_session(&user, now)?;
        let session = session.begun_from(ip, device);
        let log_in = LogIn {
            user: &user,
            session: &session,
            superseded: &admitted.superseded,
            rehashed: rehashed.clone(),
            ip,
        };
        match app.store.log_in(log_in).await {
            Ok(()) => {
                let view = SignedInView::new(app, &user, &session, &refresh)?;
                return Ok(Reply::ok("signed in", &view));
            }
            Err(StoreLogInError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
        candidate = app.store.candidate(&input.email).await?;
        if candidate.password_hash() != hash {
            return Err(invalid_credentials());
        }
    }
    Err(ApiError::unavailable(RETRY_AFTER_SECONDS))
}

/// What the device calls itself.
pub(super) fn device(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}
