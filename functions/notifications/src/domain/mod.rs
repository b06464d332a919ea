//! Who is told what, and when: pure rules.

mod contact;
mod mail_limit;
mod message;
mod notification;
mod reaction;

pub use contact::{Contact, ContactState};
pub use mail_limit::MailLimit;
pub use message::{Line, Message, MessageKind, PaymentFailure, format_date};
pub use notification::{Notification, Status};
pub use reaction::Reaction;
