//! E-mails with tokens that anybody can request for an address, without learning whether
//! it has an account.

use contracts::{Envelope, EventData};
use kernel::{
    Cause, Timestamp,
    input::{FieldErrors, Fields, FromInput, Value},
};
use runtime::{
    SealKey, Stopwatch,
    http::{ApiError, Reply, StatusCode},
};

use super::{
    rate_limits::{MailLimit, Recipient},
    timing::pad_to_interval,
};
use crate::{
    app::App,
    credentials::tokens::MailToken,
    domain::{EMAIL_LENGTH_MAX, Email, MailTokenRecord, TokenPurpose, User},
};

/// The address for which an e-mail is requested.
#[derive(Debug)]
pub(in crate::api) struct MailRequest {
    /// Normalised, but not validated: an invalid address has no account.
    email: String,
}

impl FromInput for MailRequest {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let email = fields.required_with("email", |value| {
            let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?;
            Ok(Email::normalise(&text))
        });
        fields.finish(|| Some(Self { email: email? }))
    }
}

/// One kind of e-mail with a token.
pub(in crate::api) struct TokenMail<E> {
    pub(in crate::api) purpose: TokenPurpose,
    pub(in crate::api) limit: MailLimit,
    /// Whether a user gets one.
    pub(in crate::api) is_eligible: fn(&User, Timestamp) -> bool,
    pub(in crate::api) record: fn(&User, Timestamp) -> MailTokenRecord,
    /// The event that requests the e-mail, with the sealed token.
    pub(in crate::api) requested: fn(&User, String) -> E,
}

impl<E: EventData> TokenMail<E> {
    /// Requests the e-mail if there is an eligible user with the address. The reply,
    /// the work and the time are the same if there is none.
    pub(in crate::api) async fn send(
        &self,
        app: &App<SealKey>,
        input: &MailRequest,
        cause: &Cause,
    ) -> Result<Reply, ApiError> {
        let stopwatch = Stopwatch::start();
        let outcome = self.request(app, input, cause).await;
        pad_to_interval(stopwatch).await;
        outcome?;
        let message = "if an e-mail can be sent to this address, it is on its way";
        Ok(Reply::done(message).with_status(StatusCode::ACCEPTED))
    }

    async fn request(
        &self,
        app: &App<SealKey>,
        input: &MailRequest,
        cause: &Cause,
    ) -> Result<(), ApiError> {
        let now = app.host.now();
        let user = app.store.user_by_email(&input.email).await?;
        let user = user.filter(|user| (self.is_eligible)(user, now));
        // Over the limit no e-mail is sent, and the reply does not reveal it.
        let recipient = match user {
            Some(_) => Recipient::Eligible,
            None => Recipient::Ineligible,
        };
        let counted = (input.email.as_str(), recipient);
        let is_admitted = self.limit.admits(&app.store, counted, now).await?;
        let is_sent = user.is_some() && is_admitted;
        let user = user.unwrap_or_else(|| User::placeholder(app.host.new_id(), now));
        let token = MailToken::generate(app.host.random());
        let sealed_token = app.credentials.seal(token.reveal());
        let sealed_token = sealed_token.map_err(ApiError::internal)?;
        let requested = (self.requested)(&user, sealed_token);
        let requested = Envelope::new(&requested, app.host.stamp(now, cause));
        let record = (self.record)(&user, now);
        if is_sent {
            app.store
                .store_mail_token(self.purpose, &token.hash(), &record, &requested)
                .await?;
        } else {
            app.store.store_decoy(&record, &requested, now).await?;
        }
        Ok(())
    }
}

/// The field `token` of a body. `Some(None)` when its text cannot be a token of ours,
/// which the handler rejects like an unknown one.
pub(in crate::api) fn token_field(fields: &mut Fields<'_>) -> Option<Option<MailToken>> {
    fields.required_with("token", |value| Ok(MailToken::parse(value.text()?.trim())))
}
