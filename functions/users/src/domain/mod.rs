//! Types and rules of accounts and sessions. Nothing here does I/O or reads a
//! clock, the environment or randomness.

mod attempts;
mod email;
mod identity;
mod password;
mod person;
mod session;
mod user;

pub use attempts::{Attempts, FAILURES_MAX, LOCKED_FOR};
pub use email::{EMAIL_LENGTH_MAX, Email};
pub use identity::{Identity, Reason, admit};
pub use password::{PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, Password, PasswordHash};
pub use person::{PersonName, Phone};
pub use session::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, Session};
pub use user::{Status, User, UserChange};
