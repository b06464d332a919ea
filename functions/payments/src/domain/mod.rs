//! What a payment is and what may be done with it. Pure.

mod decide;
mod hold;
mod order_event;
mod payment;

pub use decide::{Action, decide};
pub use hold::decide_in_time;
pub use order_event::{OrderEnded, OrderEvent};
pub use payment::{Intent, Payment, ProviderReference, Status};
