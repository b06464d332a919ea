//! What an order is and how it moves on. Pure: no I/O, clock, environment or
//! randomness.

mod checkout;
mod country;
mod decide;
mod order;

pub use checkout::{
    Address, ITEMS_MAX, PAYMENT_METHOD_LENGTH_MAX, PaymentMethod, PlaceOrder, QUANTITY_MAX,
};
pub use country::Country;
pub use decide::{Decision, Input, decide};
pub use order::{Order, Placing, RefuseOrderError, Status, Step, line_total, place};
