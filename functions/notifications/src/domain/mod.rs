//! Who is told what, and when: pure rules.

mod contact;
mod message;
mod notification;
mod reaction;

pub use contact::{Contact, Reach};
pub use message::{Line, Message, PaymentFailure, date};
pub use notification::{Notification, Status};
pub use reaction::Reaction;
