//! What an order is and how it moves on. Pure: no I/O, clock, environment or
//! randomness.

mod checkout;
mod decide;
mod order;

pub use checkout::{ITEMS_MAX, PAYMENT_METHOD_LENGTH_MAX, PaymentMethod, PlaceOrder, QUANTITY_MAX};
pub use decide::{Decision, Input, decide};
pub use kernel::{Address, Country};
pub use order::{Order, Placing, RefuseOrderError, Status, Step, line_total, place};
