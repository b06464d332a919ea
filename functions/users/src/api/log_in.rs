//! Signs a person in.

use std::{net::IpAddr, sync::Arc, time::Instant};

use contracts::{Envelope, events::UserReactivated};
use http::{HeaderMap, header};
use kernel::{
    Cause, Timestamp,
    input::{FromInput, FieldErrors, Value},
};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Header, Json, Reply, RequestCause, SourceIp, State},
};

use super::{
    errors::{invalid_credentials, invalid_otp, mfa_missing},
    limits::WithinLimits,
    paced::until_whole_step,
    update_user::announcement,
    views::SignedInView,
};
use crate::{
    app::LogIns,
    domain::{EMAIL_LENGTH_MAX, Email, Otp, Password, SecondFactor, Session, Shown, User},
    passwords,
    store::{LogIn, Returned, StoreLogInError},
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
    grant("secretsmanager:GetSecretValue", "MfaSecret"),
];

/// Tries to log in while others log in to the same account: each try lets at
/// least one of them through.
const TRIES_MAX: u32 = 20;
/// When to come again if even that was not enough, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The function `log-in`.
pub fn function() -> Function {
    endpoint().start(LogIns::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<LogIns>> {
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
    /// What is shown of the second factor; not looked at where there is none.
    otp: Option<Otp>,
}

impl FromInput for Credentials {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let email = fields.required_with("email", |value| {
            let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?;
            Ok(Email::normalise(&text))
        });
        let password = fields.required_with("password", Password::attempt);
        let otp = fields.optional("otp");
        fields.finish(|| {
            Some(Self {
                email: email?,
                password: password?,
                otp,
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
/// An account that its owner closed opens again, until it is erased.
///
/// Where there is a second factor, only whoever has the password is told. A
/// wrong code is a failure like a wrong password; the right password beside it
/// does not make the failures forgotten. The password alone is none: it is how
/// a client finds out that it has to ask for the code.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 401 `invalid_credentials`, `mfa_required`, `invalid_otp`; 422 with every
/// field that is wrong.
pub async fn log_in(
    State(log_ins): State<Arc<LogIns>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    SourceIp(ip): SourceIp,
    Header(headers): Header,
    Json(input): Json<Credentials>,
) -> Result<Reply, ApiError> {
    let begun = Instant::now();
    let outcome = sign_in(&log_ins, &input, &cause, ip, device(&headers)).await;
    if outcome.is_err() {
        until_whole_step(begun).await;
    }
    outcome
}

async fn sign_in(
    log_ins: &LogIns,
    input: &Credentials,
    cause: &Cause,
    ip: Option<IpAddr>,
    device: Option<&str>,
) -> Result<Reply, ApiError> {
    let app = &log_ins.sign_ins;
    let mut candidate = app.store.candidate(&input.email).await?;
    let mut hash = candidate.password_hash();
    let mut verdict = passwords::verify(input.password.clone(), hash.clone()).await?;
    let mut rehashed = None;
    for _ in 0..TRIES_MAX {
        let now = app.clock.now();
        let Some(admitted) = candidate.admitted(verdict, now) else {
            app.store.count_failure(&input.email, now).await?;
            return Err(invalid_credentials());
        };
        let factor = admitted.factor.as_ref();
        let shown = match factor {
            Some(factor) => Some(second_factor(log_ins, input, factor, now).await?),
            None => None,
        };
        if admitted.outdated && rehashed.is_none() {
            rehashed = Some(passwords::hash(input.password.clone()).await?);
        }
        let seen = admitted.user;
        // Whoever logs in to an account that they closed wants it back.
        let returned = (!seen.is_active()).then(|| seen.returned());
        let events = returned.as_ref().map(|user| came_back(user, now, cause));
        let user = returned.clone().unwrap_or_else(|| seen.clone());
        let (session, refresh) = app.new_session(&user, now)?;
        let session = Session {
            mfa: shown.is_some(),
            ..session.begun_from(ip, device)
        };
        let log_in = LogIn {
            user: &seen,
            returned: returned
                .as_ref()
                .zip(events.as_ref())
                .map(|(user, events)| Returned { user, events }),
            session: &session,
            superseded: &admitted.superseded,
            factor: factor.zip(shown.as_ref()),
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
            // Another password, or the same one hashed anew elsewhere.
            hash = candidate.password_hash();
            verdict = passwords::verify(input.password.clone(), hash.clone()).await?;
            rehashed = None;
        }
    }
    Err(ApiError::unavailable(RETRY_AFTER_SECONDS))
}

/// What is said of somebody who is back.
fn came_back(user: &User, now: Timestamp, cause: &Cause) -> [Envelope; 2] {
    let returned = UserReactivated { user_id: user.id };
    [
        Envelope::new(&announcement(user), now, cause),
        Envelope::new(&returned, now, cause),
    ]
}

/// What the person shows of the second factor, which the password alone does
/// not replace.
async fn second_factor(
    app: &LogIns,
    input: &Credentials,
    factor: &SecondFactor,
    now: Timestamp,
) -> Result<Shown, ApiError> {
    if let Some(otp) = &input.otp
        && let Some(shown) = app.factors.shown(factor, otp, now)?
    {
        return Ok(shown);
    }
    // That the password is right is told here without a write that a lock would
    // refuse. So the lock is looked at once more: of many guesses at once, the
    // right one is told only if it comes before five wrong ones are counted.
    let store = &app.sign_ins.store;
    if store.attempts(&input.email).await?.is_locked(now) {
        return Err(invalid_credentials());
    }
    if input.otp.is_none() {
        return Err(mfa_missing());
    }
    store.count_failure(&input.email, now).await?;
    Err(invalid_otp())
}

/// What the device calls itself.
pub(super) fn device(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT)?.to_str().ok()
}
