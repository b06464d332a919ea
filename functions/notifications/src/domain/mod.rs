//! Who is told what, and when: pure rules.

mod contact;
mod message;
mod notification;
mod reaction;

pub use contact::{Contact, ContactState};
pub use message::{Line, Message, PaymentFailure, format_date};
pub use notification::{Notification, Status};
pub use reaction::Reaction;
