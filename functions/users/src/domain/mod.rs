//! Types and rules of accounts and sessions. Nothing here does I/O or reads a
//! clock, the environment or randomness.

mod addresses;
mod attempts;
mod closing;
mod email;
mod identity;
mod password;
mod person;
mod profile;
mod proof;
mod second_factor;
mod session;
mod user;

pub use addresses::{
    ADDRESSES_MAX, AddressBook, AddressInput, ChangeAddressesError, Entry as AddressEntry,
};
pub use attempts::{Attempts, FAILURES_MAX, LOCKED_FOR};
pub use closing::{GRACE_DAYS, days};
pub use email::{EMAIL_LENGTH_MAX, Email};
pub use identity::{AdminMfa, AdminMfaError, Identity, Reason, admit, withheld_role};
pub use password::{PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, Password, PasswordHash};
pub use person::{PersonName, Phone};
pub use profile::{Avatar, Bio, BirthDate, Gender, Preferences, Profile, ProfileChange};
pub use proof::{Proof, RESET_LIFETIME, VERIFICATION_LIFETIME, Verified};
pub use second_factor::{
    CODE_DIGITS, ENROLMENT_LIFETIME, Otp, RECOVERY_CODE_LENGTH, RECOVERY_CODES, SecondFactor, Shown,
};
pub use session::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, SESSIONS_MAX, Session, superseded};
pub use user::{Status, User, UserChange, known_words, role_of};
