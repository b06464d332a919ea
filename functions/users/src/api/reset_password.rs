//! Sets a new password with the token of an e-mail.

use std::sync::Arc;

use contracts::Envelope;
use dynamo::Attempts;
use kernel::input::{FieldErrors, FromInput, Value};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, SourceIp, State},
};

use super::support::{
    accounts::NO_NETWORK,
    errors::invalid_mail_token,
    events::{email_verified, mfa_disabled, password_changed},
    rate_limits::limit_by_ip,
    token_mail::token_field,
    views::ProofView,
};
use crate::{
    app::App,
    credentials::{
        passwords,
        tokens::{KeyRing, MailToken},
    },
    domain::{Password, TokenPurpose},
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
    Endpoint::new("reset-password", Access::Public, GRANTS)
        .post("/api/auth/reset-password", reset_password)
        .guard(limit_by_ip)
        .start(App::start_with_password_rules)
}

#[derive(Debug)]
struct ResetPassword {
    token: Option<MailToken>,
    password: Password,
}

impl FromInput for ResetPassword {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let token = token_field(&mut fields);
        let password = fields.required("password");
        fields.finish(|| {
            Some(Self {
                token: token?,
                password: password?,
            })
        })
    }
}

/// Sets a new password and ends every session. A second
/// factor that was enrolled before anybody had proven the mailbox is removed.
///
/// Whoever did this is known from now on: the reply has a device token also where there is
/// a second factor, so that they can log in while somebody else keeps guessing. A token
/// works once, but stays valid when the password is refused. Nothing is hashed for an
/// invalid token.
///
/// # Errors
/// 429 for too many requests from one address; 422 `invalid_token` for a token that is
/// unknown, used, expired, or older than a change of the account; 422 for an
/// unacceptable password.
async fn reset_password(
    State(app): State<Arc<App<KeyRing>>>,
    ip: SourceIp,
    RequestCause(cause): RequestCause,
    Json(input): Json<ResetPassword>,
) -> Result<Reply, ApiError> {
    let token = input.token.ok_or_else(invalid_mail_token)?.hash();
    let network = ip.network();
    let network = network.as_deref().unwrap_or(NO_NETWORK);
    let mut password_hash = None;
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let now = app.host.now();
        let record = app.store.mail_token(TokenPurpose::Reset, &token).await?;
        let record = record.filter(|record| record.is_usable(now));
        let record = record.ok_or_else(invalid_mail_token)?;
        let user = app.store.user(record.user_id).await?;
        let user = user.filter(|user| user.may_reset_password(&record, now));
        let user = user.ok_or_else(invalid_mail_token)?;
        let hash = match password_hash.take() {
            Some(hash) => hash,
            None => {
                let password = input.password.clone();
                let mut known_words = user.known_words();
                known_words.push(&app.settings.shop_name);
                let password = password.require_strong_at("/password", &known_words)?;
                passwords::hash(password, app.host.random()).await?
            }
        };
        // The e-mail arrived, so the address is verified as well.
        let proven = user.reset_password(hash.clone());
        // Announced by every reset: notifications has no other way to learn of an
        // address that was verified before it kept account of that.
        let verified = email_verified(&proven.user);
        let changed = password_changed(&user);
        let mut events = vec![
            Envelope::new(&verified, app.host.stamp(now, &cause)),
            Envelope::new(&changed, app.host.stamp(now, &cause)),
        ];
        if proven.disables_mfa {
            let disabled = mfa_disabled(&user);
            events.push(Envelope::new(&disabled, app.host.stamp(now, &cause)));
        }
        match app
            .store
            .reset_password(&token, &proven, network, &events, now)
            .await
        {
            Ok(()) => {
                let message = "the password is changed, and all sessions have ended";
                let random = app.host.random();
                let account = (proven.user.id, &proven.user.password_hash);
                let device = app.credentials.issue_device(account, None, random, now);
                let view = ProofView::new(&proven, None).with_device_token(device);
                return Ok(Reply::ok(message, &view));
            }
            Err(UseTokenError::Conflict) => password_hash = Some(hash),
            Err(error) => return Err(error.into()),
        }
    }
    Err(UseTokenError::Conflict.into())
}
