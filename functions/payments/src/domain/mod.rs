//! What a payment is and what may be done with it. Pure: no I/O, clock,
//! environment or randomness.

mod decide;
mod payment;

pub use decide::{Action, Input, Over, decide};
pub use payment::{Intent, Payment, ProviderReference, Status};
