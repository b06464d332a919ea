//! Verifies an address with the token of the e-mail that was sent to it.

use std::sync::Arc;

use contracts::{Envelope, events::UserEmailChanged};
use dynamo::Attempts;
use http::header;
use kernel::{
    Cause, SessionId, Timestamp,
    input::{FieldErrors, FromInput, Value},
};
use runtime::{
    Function, Grant, Host, grant,
    http::{Access, ApiError, Endpoint, HeaderMap, Json, Reply, RequestCause, SourceIp, State},
};

use super::support::{
    accounts::NO_NETWORK,
    current_password,
    errors::{INVALID_TOKEN, invalid_mail_token},
    events::{email_verified, mfa_disabled, user_updated},
    rate_limits::reject_by_ip,
    sessions,
    token_mail::token_field,
    views::ProofView,
};
use crate::{
    app::App,
    credentials::tokens::{KeyRing, MailToken},
    domain::{Email, Password, TokenPurpose, User, Verification},
    store::UseTokenError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:DeleteItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "AuthSecret"),
];

pub fn function() -> Function {
    Endpoint::new("verify-email", Access::Public, GRANTS)
        .post("/api/auth/verify-email", verify_email)
        .start(App::start)
}

#[derive(Debug)]
struct VerifyEmail {
    token: Option<MailToken>,
    password: Option<Password>,
}

impl FromInput for VerifyEmail {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = token_field(&mut fields);
        let password = fields.optional_with("currentPassword", Password::attempt);
        fields.finish(|| {
            Some(Self {
                token: token?,
                password,
            })
        })
    }
}

/// Verifies the address of an account, or replaces it by the address that the e-mail
/// was sent to, and announces that in the same transaction. A token works once.
///
/// Whoever registered the address may not be the one who reads the mailbox. So every
/// session ends, except that of the access token in `Authorization`, if one is sent:
/// having both the link and the session shows that it is one person. So does having the
/// link and the password, which is asked of nobody; then every session ends.
///
/// Only tokens that are rejected count for the address, so that others there cannot
/// keep anybody from proving a mailbox.
///
/// # Errors
/// 429 for too many rejected tokens from one address; 422 `invalid_token` for a token that is
/// unknown, used, expired, or older than a change of the account; 409 `email_taken`
/// when another account has the new address by now; 422 at `/currentPassword` for a wrong
/// password, which counts as at login. The token stays valid.
async fn verify_email(
    State(app): State<Arc<App<KeyRing>>>,
    client: SourceIp,
    RequestCause(cause): RequestCause,
    headers: HeaderMap,
    Json(input): Json<VerifyEmail>,
) -> Result<Reply, ApiError> {
    match verify(&app, &cause, (&headers, client), input).await {
        Err(rejection) if rejection.code() == INVALID_TOKEN => {
            Err(reject_by_ip(app, client, rejection).await)
        }
        outcome => outcome,
    }
}

async fn verify(
    app: &App<KeyRing>,
    cause: &Cause,
    (headers, client): (&HeaderMap, SourceIp),
    input: VerifyEmail,
) -> Result<Reply, ApiError> {
    let purpose = TokenPurpose::Verification;
    let hash = input.token.ok_or_else(invalid_mail_token)?.hash();
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let record = app.store.mail_token(purpose, &hash).await?;
        let record = record.filter(|record| record.is_usable(now));
        let record = record.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(record.user_id).await?;
        let user = user.ok_or_else(invalid_mail_token)?;
        let session_id = session_of(app, headers, &user, now).await?;
        if user.verify_email(&record, false).is_none() {
            return Err(invalid_mail_token());
        }
        if let Some(password) = input.password.clone() {
            let network = client.network();
            let network = network.as_deref().unwrap_or(NO_NETWORK);
            current_password::require_from_network(&app.store, network, &user, password, now)
                .await?;
        }
        let has_credentials = session_id.is_some() || input.password.is_some();
        let verification = user.verify_email(&record, has_credentials);
        let (proven, mut events) = match verification.ok_or_else(invalid_mail_token)? {
            Verification::AlreadyVerified => {
                match app.store.use_mail_token(purpose, &hash, now).await {
                    Ok(()) => return Ok(reply(&ProofView::NOTHING)),
                    Err(UseTokenError::Conflict) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            Verification::Verified(proven) => {
                let event = email_verified(&proven.user);
                let event = Envelope::new(&event, app.host.stamp(now, cause));
                (proven, vec![event])
            }
            Verification::EmailChanged { proven, previous } => {
                let events = changed(&proven.user, &previous, &app.host, now, cause);
                (proven, events.to_vec())
            }
        };
        if proven.disables_mfa {
            let disabled = mfa_disabled(&proven.user);
            events.push(Envelope::new(&disabled, app.host.stamp(now, cause)));
        }
        let token = (hash.as_str(), &record);
        let outcome = app
            .store
            .verify_email(token, &proven, session_id, &events, now)
            .await;
        match outcome {
            Ok(()) => return Ok(reply(&ProofView::new(&proven, session_id))),
            Err(UseTokenError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseTokenError::Conflict.into())
}

fn reply(view: &ProofView) -> Reply {
    Reply::ok("the address is verified", view)
}

/// The live session of `user` whose access token was sent. Anything else is as good as
/// none: the link is valid without.
async fn session_of(
    app: &App<KeyRing>,
    headers: &HeaderMap,
    user: &User,
    now: Timestamp,
) -> Result<Option<SessionId>, ApiError> {
    let header = headers.get(header::AUTHORIZATION);
    let token = header.and_then(|value| sessions::bearer_token(value.to_str().ok()?));
    let Some(token) = token else { return Ok(None) };
    let claims = app.credentials.verify(token, now).await.ok();
    let Some(claims) = claims.filter(|claims| claims.sub == user.id) else {
        return Ok(None);
    };
    let session = app.store.session(user.id, claims.sid).await?;
    let session = session.filter(|session| session.is_live(user, now));
    Ok(session.map(|session| session.id))
}

/// The last event sends an e-mail to the previous address.
fn changed(
    user: &User,
    previous: &Email,
    host: &Host,
    now: Timestamp,
    cause: &Cause,
) -> [Envelope; 3] {
    let email_changed = UserEmailChanged {
        user_id: user.id,
        previous_email: previous.as_str().to_owned(),
    };
    [
        Envelope::new(&user_updated(user), host.stamp(now, cause)),
        Envelope::new(&email_verified(user), host.stamp(now, cause)),
        Envelope::new(&email_changed, host.stamp(now, cause)),
    ]
}
