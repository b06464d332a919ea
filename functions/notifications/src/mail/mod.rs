//! Mails: what they are ([`Mail`]), how they are written ([`Renderer`]), and
//! who carries them ([`Mailer`], of which [`SesMailer`] is the one in use).

mod link;
mod render;
mod ses;

use runtime::BoxFuture;

pub use link::{PublicUrl, PublicUrlError};
pub use render::{Recipient, RenderMailError, Renderer};
pub use ses::SesMailer;

/// A mail, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address that it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its body as plain text.
    pub text: String,
    /// Its body as HTML.
    pub html: String,
    /// The chain that it ends.
    pub correlation_id: String,
}

/// Carries mails: a third party, so a trait.
pub trait Mailer: Send + Sync {
    /// Sends a mail; gives the name that the carrier gave it.
    fn send(&self, mail: Mail) -> BoxFuture<Result<String, SendMailError>>;
}

/// A mail was not sent, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum SendMailError {
    /// The carrier will never take it: the address, or the mail, is not
    /// acceptable.
    #[error("the mail is refused: {code}")]
    Refused {
        /// The carrier's code.
        code: String,
    },
    /// It did not work this time.
    #[error("the mail was not sent")]
    Failed(#[source] runtime::Error),
}
