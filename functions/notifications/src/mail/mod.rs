//! Emails: what they consist of ([`Mail`]), how they are rendered
//! ([`Renderer`]), and how they are sent ([`Mailer`], implemented by
//! [`SesMailer`]).

mod link;
mod render;
mod ses;

use runtime::BoxFuture;

pub use link::{PublicUrl, PublicUrlError};
pub use render::{Recipient, RenderMailError, Renderer};
pub use ses::SesMailer;

/// A rendered email.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    /// The plain-text body.
    pub text: String,
    /// The HTML body.
    pub html: String,
    pub correlation_id: String,
}

/// A mail provider.
pub trait Mailer: Send + Sync {
    /// Sends an email; returns the id that the provider assigned.
    fn send(&self, mail: Mail) -> BoxFuture<Result<String, SendMailError>>;
}

#[derive(Debug, thiserror::Error)]
pub enum SendMailError {
    /// The address or the content is unacceptable: trying again is useless.
    #[error("the email was rejected: {code}")]
    Rejected {
        /// The provider's code.
        code: String,
    },
    /// The email was not sent, or may have been without a reply; trying again
    /// may succeed.
    #[error("the email could not be sent")]
    Failed(#[source] runtime::Error),
}
