//! Sends the mail that verifies an address again.

use std::sync::Arc;

use contracts::{Envelope, events::UserVerificationRequested};
use runtime::{
    Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::{
    errors::not_sealed,
    limits::{MAILS, WithinLimits},
    mail_request::{MailRequest, nobody, sent_if_known},
};
use crate::{app::Mails, domain::Proof, store::Purpose, tokens::MailToken};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
];

/// The function `resend-verification`.
pub fn function() -> Function {
    endpoint().start(Mails::start)
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Mails>> {
    Endpoint::new("resend-verification", Access::Public, GRANTS)
        .post("/api/auth/resend-verification", resend_verification)
}

/// Sends the mail again, when there is an active account with the address and
/// the address is not verified. The reply, and the work, are the same when
/// there is nothing to send.
///
/// # Errors
/// 429 when too many requests came from the same address;
/// 422 when there is no address.
pub async fn resend_verification(
    State(app): State<Arc<Mails>>,
    _: WithinLimits,
    RequestCause(cause): RequestCause,
    Json(input): Json<MailRequest>,
) -> Result<Reply, ApiError> {
    let now = app.clock.now();
    let user = app.store.user_by_email(&input.email).await?;
    let user = user.filter(|user| user.is_active() && !user.email_verified);
    // Who gets too many mails gets no more; the reply does not tell.
    let quota = app.store.take(&MAILS, &input.email, now).await?;
    let known = user.is_some() && quota.admitted;
    let user = user.unwrap_or_else(|| nobody(now));
    let token = MailToken::generate()?;
    let requested = UserVerificationRequested {
        user_id: user.id,
        email: user.email.as_str().to_owned(),
        sealed_token: app.mail_key.seal(token.reveal()).map_err(not_sealed)?,
    };
    let requested = Envelope::new(&requested, now, &cause);
    let proof = Proof::of_address(&user, now);
    if known {
        let purpose = Purpose::Verification;
        app.store
            .issue(purpose, &token.hash(), &proof, &requested)
            .await?;
    } else {
        app.store.pretend_to_issue(&proof, &requested, now).await?;
    }
    Ok(sent_if_known())
}
