//! What the endpoints have in common that send a mail to whoever has an
//! account with an address, and do not tell whether somebody has.

use std::time::Instant;

use contracts::{Envelope, EventData};
use kernel::{
    Cause, Timestamp, UserId,
    input::{Fields, FromInput, FieldErrors, Value},
};
use runtime::http::{ApiError, Reply, StatusCode};

use super::{errors::not_sealed, limits::MAILS, paced::until_whole_step};
use crate::{
    app::Mails,
    domain::{EMAIL_LENGTH_MAX, Email, Proof, User},
    store::Purpose,
    tokens::MailToken,
};

/// The address that a mail is asked for.
#[derive(Debug)]
pub struct MailRequest {
    /// Normalised, but not checked: what is not an address is nobody's.
    pub(super) email: String,
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

/// One kind of mail with a token in it.
pub(super) struct TokenMail<E> {
    /// What the token is for.
    pub(super) purpose: Purpose,
    /// Whether somebody who has an account is to get one.
    pub(super) is_wanted_by: fn(&User, Timestamp) -> bool,
    /// What the token proves.
    pub(super) proof: fn(&User, Timestamp) -> Proof,
    /// The event that has the mail sent, with the sealed token.
    pub(super) requested: fn(&User, String) -> E,
}

impl<E: EventData> TokenMail<E> {
    /// Has the mail sent, when there is an account with the address that is to
    /// get one. The reply, the work and the time are the same when there is none.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn send(
        &self,
        app: &Mails,
        input: &MailRequest,
        cause: &Cause,
    ) -> Result<Reply, ApiError> {
        let begun = Instant::now();
        let outcome = self.send_if_known(app, input, cause).await;
        until_whole_step(begun).await;
        outcome?;
        Ok(
            Reply::done("if there is something to send to this address, it is on its way")
                .with_status(StatusCode::ACCEPTED),
        )
    }

    async fn send_if_known(
        &self,
        app: &Mails,
        input: &MailRequest,
        cause: &Cause,
    ) -> Result<(), ApiError> {
        let now = app.clock.now();
        let user = app.store.user_by_email(&input.email).await?;
        let user = user.filter(|user| (self.is_wanted_by)(user, now));
        // Who gets too many mails gets no more; the reply does not tell.
        let quota = app.store.take(&MAILS, &input.email, now).await?;
        let known = user.is_some() && quota.admitted;
        let user = user.unwrap_or_else(|| User::nobody(testkit::new_id::<UserId>(), now));
        let token = MailToken::generate()?;
        let sealed_token = app.mail_key.seal(token.reveal()).map_err(not_sealed)?;
        let requested = Envelope::new(&(self.requested)(&user, sealed_token), now, cause);
        let proof = (self.proof)(&user, now);
        if known {
            app.store
                .issue(self.purpose, &token.hash(), &proof, &requested)
                .await?;
        } else {
            app.store.pretend_to_issue(&proof, &requested, now).await?;
        }
        Ok(())
    }
}

/// The token from a mail: refused when it is no text, and `Some(None)` when it
/// is a text that cannot be one of ours; what that is worth is for the handler
/// to say.
pub(super) fn mail_token(fields: &mut Fields<'_>) -> Option<Option<MailToken>> {
    fields.required_with("token", |value| Ok(MailToken::parse(value.text()?.trim())))
}
