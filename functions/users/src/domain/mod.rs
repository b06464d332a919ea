//! Types and rules of accounts and sessions: no I/O, and no clock, environment or
//! randomness.

mod addresses;
mod closure;
mod email;
mod identity;
mod login_failures;
mod mail_token;
mod password;
mod password_strength;
mod person;
mod profile;
mod registration;
mod second_factor;
mod session;
mod user;

pub use addresses::{
    ADDRESSES_MAX, AddressBook, AddressInput, ChangeAddressesError, Entry as AddressEntry,
};
pub use closure::{GRACE_DAYS, days};
pub use email::{EMAIL_LENGTH_MAX, Email};
pub use identity::{AdminMfa, AdminMfaError, Identity, Rejection, admit, principal};
pub use login_failures::{
    ADDRESS_FAILURES_MAX, ADDRESS_LIMIT, ADDRESS_LOCKOUT_MAX, ADDRESS_MEMORY, FAILURES_MAX, Guess,
    GuessLimit, LOCKOUT, LoginFailures, SOURCE_LIMIT, Source,
};
pub use mail_token::{
    MailTokenRecord, Proven, RESET_LIFETIME, TokenPurpose, VERIFICATION_LIFETIME, Verification,
};
pub use password::{PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, Password, PasswordHash};
pub use person::{PersonName, Phone};
pub use profile::{Avatar, Bio, BirthDate, Gender, Preferences, Profile, ProfileChange};
pub use registration::{Registration, RegistrationError};
pub use second_factor::{
    CODE_DIGITS, ENROLMENT_LIFETIME, Otp, RECOVERY_CODE_LENGTH, RECOVERY_CODES, SecondFactor,
    VerifiedFactor,
};
pub use session::{
    ABSOLUTE_LIFETIME, FRESH_FOR, IDLE_LIFETIME, SESSIONS_MAX, Session, sessions_to_evict,
};
pub use user::{Status, User, UserChange, known_words, parse_role};
