//! What the endpoints have in common that send a mail to whoever has an
//! account with an address, and do not tell whether somebody has.

use kernel::{
    Timestamp, UserId,
    input::{FromInput, Refusals, Value},
};
use runtime::http::{Reply, StatusCode};

use crate::domain::{EMAIL_LENGTH_MAX, Email, User};

/// The address that a mail is asked for.
#[derive(Debug)]
pub struct MailRequest {
    /// Normalised, but not checked: what is not an address is nobody's.
    pub(super) email: String,
}

impl FromInput for MailRequest {
    fn from_input(value: Value<'_>) -> Result<Self, Refusals> {
        let mut fields = value.fields()?;
        let email = fields.required_with("email", |value| {
            let text = value.trimmed(1..=EMAIL_LENGTH_MAX)?;
            Ok(Email::normalise(&text))
        });
        fields.finish(|| Some(Self { email: email? }))
    }
}

/// 202, whether or not there is an account.
pub(super) fn sent_if_known() -> Reply {
    Reply::done("if there is something to send to this address, it is on its way")
        .with_status(StatusCode::ACCEPTED)
}

/// Somebody who does not exist, for the work that is done all the same.
pub(super) fn nobody(now: Timestamp) -> User {
    User::nobody(UserId::generate(), now)
}
