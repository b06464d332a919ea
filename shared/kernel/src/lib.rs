//! What every service speaks of: ids, money, time, addresses, causes and pages, and how
//! a client's input is read into them. Nothing here knows AWS or a service.

mod address;
mod cause;
mod clock;
mod country;
mod ids;
pub mod input;
mod money;
mod page;

pub use address::Address;
pub use cause::{Actor, Cause};
pub use clock::Clock;
pub use country::Country;
pub use ids::*;
pub use iso_currency::Currency;
pub use jiff::{SignedDuration, Timestamp};
pub use money::{Decimal, Money, MoneyError};
pub use page::{Limit, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page};
