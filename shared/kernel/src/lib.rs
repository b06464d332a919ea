//! The types that every service shares: ids, identities, money, addresses, causes and
//! pages, and the parsing of a client's input into them. Nothing here knows AWS, HTTP or
//! a service.

#![warn(missing_docs)]

mod address;
mod cause;
mod country;
mod idempotency;
mod identity;
mod ids;
pub mod input;
mod money;
mod page;

pub use address::Address;
pub use cause::{Actor, Cause, ClientIds};
pub use country::Country;
pub use idempotency::IdempotencyKey;
pub use identity::{Principal, Role};
pub use ids::*;
pub use iso_currency::Currency;
pub use jiff::{SignedDuration, Timestamp};
pub use money::{Decimal, Money, MoneyError};
pub use page::{Limit, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page};
