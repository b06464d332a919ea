//! Logs a person in.

use std::sync::Arc;

use contracts::{Envelope, events::UserReactivated};
use dynamo::Attempts;
use kernel::{
    Cause, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, Host, Stopwatch, grant,
    http::{Access, ApiError, Endpoint, HeaderMap, Json, Reply, RequestCause, SourceIp, State},
};

use super::support::{
    accounts::NO_NETWORK,
    errors::{invalid_credentials, invalid_otp, missing_otp},
    events::user_updated,
    rate_limits::limit_by_ip,
    sessions,
    timing::pad_to_interval,
};
use crate::{
    app::App,
    credentials::{
        passwords,
        second_factors::SecondFactors,
        tokens::{DeviceToken, KeyRing},
    },
    domain::{
        EMAIL_LENGTH_MAX, Email, Guess, Otp, Password, SecondFactor, Session, Source, User,
        VerifiedFactor,
    },
    store::{Candidate, LogIn, Origin, Reactivation, StoreLogInError},
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

/// When to try again after all attempts met other logins to the same account.
const RETRY_AFTER_SECONDS: u32 = 1;

type LogInApp = App<(KeyRing, SecondFactors)>;

pub fn function() -> Function {
    Endpoint::new("log-in", Access::Public, GRANTS)
        .post("/api/auth/login", log_in)
        .post("/api/users/login", log_in)
        .guard(limit_by_ip)
        .start(LogInApp::start)
}

#[derive(Debug)]
struct Credentials {
    /// Normalised, but not validated: an invalid address has no account.
    email: String,
    password: Password,
    /// Ignored where there is no second factor.
    otp: Option<Otp>,
    /// From an earlier login on the same device. `None` also for a text that cannot be one:
    /// it is ignored as any that is not ours.
    device_token: Option<DeviceToken>,
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
        let device_token = fields.optional_with("deviceToken", |value| {
            Ok(DeviceToken::parse(value.text()?.trim()))
        });
        fields.finish(|| {
            Some(Self {
                email: email?,
                password: password?,
                otp,
                device_token: device_token.flatten(),
            })
        })
    }
}

/// The client that logs in.
struct Device<'a> {
    ip: SourceIp,
    user_agent: Option<&'a str>,
}

/// Begins a session. An account that its owner closed is reopened.
///
/// An unknown address, a wrong password, an account that may not be used and a lock get
/// the same reply after the same work and time: two reads, one hash, two
/// writes, and the rest of the interval. The lock is read before the hash, but applied
/// after it. A device that the account knows makes one write; it knows of the account.
///
/// Whoever guesses locks their own network, and from many networks all devices that the
/// account does not know; one that it knows is only locked by its own failures.
///
/// Only somebody with the password learns that there is a second factor. A wrong code
/// is a failure like a wrong password; a right password next to it does not clear the
/// failures. The password without a code is no failure: this is how a client finds out
/// that it has to ask for the code.
///
/// # Errors
/// 429 for too many requests from one address; 401 `invalid_credentials`,
/// `mfa_required`, `invalid_otp`; 422 with every invalid field.
async fn log_in(
    State(app): State<Arc<LogInApp>>,
    RequestCause(cause): RequestCause,
    ip: SourceIp,
    headers: HeaderMap,
    Json(input): Json<Credentials>,
) -> Result<Reply, ApiError> {
    let stopwatch = Stopwatch::start();
    let user_agent = sessions::device(&headers);
    let outcome = begin_session(&app, &input, &cause, &Device { ip, user_agent }).await;
    if outcome.is_err() {
        pad_to_interval(stopwatch).await;
    }
    outcome
}

async fn begin_session(
    app: &LogInApp,
    input: &Credentials,
    cause: &Cause,
    device: &Device<'_>,
) -> Result<Reply, ApiError> {
    let (tokens, _) = &app.credentials;
    let network = device.ip.network();
    let origin = Origin {
        device: input.device_token.as_ref().map(|token| token.device),
        network: network.as_deref().unwrap_or(NO_NETWORK),
    };
    let mut candidate = app.store.candidate(&input.email, origin).await?;
    let mut hash = candidate.password_hash();
    let mut check = passwords::verify(input.password.clone(), hash.clone()).await?;
    let mut rehashed = None;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let source = &source(tokens, input, &candidate, origin, now);
        let guess = Guess {
            email: &input.email,
            source,
        };
        let registration = app.settings.registration;
        let Some(authenticated) = candidate.authenticate(check, source, registration, now) else {
            app.store.record_failure(guess, now).await?;
            return Err(invalid_credentials());
        };
        let factor = authenticated.factor.as_ref();
        let verified = match factor {
            Some(factor) => Some(verify_factor(app, input, guess, factor, now).await?),
            None => None,
        };
        if authenticated.needs_rehash && rehashed.is_none() {
            let password = input.password.clone();
            rehashed = Some(passwords::hash(password, app.host.random()).await?);
        }
        let seen = authenticated.user;
        let reactivated = (!seen.is_active()).then(|| seen.reactivated());
        let events = reactivated
            .as_ref()
            .map(|user| reactivation_events(user, &app.host, now, cause));
        let user = reactivated.clone().unwrap_or_else(|| seen.clone());
        let (session, refresh) = sessions::begin(&app.host, &user, now);
        let session = Session {
            mfa: verified.is_some(),
            ..session.begun_from(device.ip.0, device.user_agent)
        };
        let log_in = LogIn {
            user: &seen,
            reactivation: reactivated
                .as_ref()
                .zip(events.as_ref())
                .map(|(user, events)| Reactivation { user, events }),
            session: &session,
            evicted: &authenticated.evicted,
            factor: factor.zip(verified.as_ref()),
            rehashed: rehashed.clone(),
            ip: device.ip.0,
            source,
        };
        match app.store.log_in(log_in).await {
            Ok(()) => {
                let view = sessions::signed_in(app, tokens, &user, &session, &refresh)?;
                let known = match source {
                    Source::Device(id) => Some(*id),
                    Source::Network(_) | Source::Session(_) => None,
                };
                let password = rehashed.as_ref().unwrap_or(&user.password_hash);
                let random = app.host.random();
                let token = tokens.issue_device((user.id, password), known, random, now);
                return Ok(Reply::ok("signed in", &view.with_device_token(token)));
            }
            Err(StoreLogInError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
        candidate = app.store.candidate(&input.email, origin).await?;
        if candidate.password_hash() != hash {
            // Another password, or the same one hashed again by another login.
            hash = candidate.password_hash();
            check = passwords::verify(input.password.clone(), hash.clone()).await?;
            rehashed = None;
        }
    }
    Err(ApiError::unavailable(RETRY_AFTER_SECONDS))
}

/// Where an attempt counts. A device token that is not the account's, is older than its
/// password or has expired is as good as none.
fn source(
    tokens: &KeyRing,
    input: &Credentials,
    candidate: &Candidate,
    origin: Origin<'_>,
    now: Timestamp,
) -> Source {
    let token = input.device_token.as_ref();
    let known = token.filter(|token| tokens.recognises(token, candidate.user(), now));
    known.map_or_else(
        || Source::Network(origin.network.to_owned()),
        |token| Source::Device(token.device),
    )
}

fn reactivation_events(user: &User, host: &Host, now: Timestamp, cause: &Cause) -> [Envelope; 2] {
    let reactivated = UserReactivated { user_id: user.id };
    [
        Envelope::new(&user_updated(user), host.stamp(now, cause)),
        Envelope::new(&reactivated, host.stamp(now, cause)),
    ]
}

/// Verifies the code of the second factor, after the password.
async fn verify_factor(
    app: &LogInApp,
    input: &Credentials,
    guess: Guess<'_>,
    factor: &SecondFactor,
    now: Timestamp,
) -> Result<VerifiedFactor, ApiError> {
    let (_, second_factors) = &app.credentials;
    if let Some(otp) = &input.otp
        && let Some(verified) = second_factors.verify(factor, otp, now)?
    {
        return Ok(verified);
    }
    // The reply reveals that the password is right, without a write that a lock would
    // refuse. So the lock is read again: of many parallel guesses, the right one is
    // revealed only if it comes before as many wrong ones are recorded as lock.
    let failures = app.store.login_failures(guess).await?;
    if failures.is_locked(now) {
        return Err(invalid_credentials());
    }
    if input.otp.is_none() {
        return Err(missing_otp());
    }
    app.store.record_failure(guess, now).await?;
    Err(invalid_otp())
}
