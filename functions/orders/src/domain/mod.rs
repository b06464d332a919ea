//! What an order is and how its state changes. Pure.

mod cancel;
mod decide;
mod external_event;
mod hold;
mod order;
mod overdue;
mod place_order;
mod transition;

pub use cancel::{CancelOrderError, cancel};
pub use decide::{Decision, decide};
pub use external_event::ExternalEvent;
pub use hold::{
    DECLINE_PERIOD, Dimension, Entry, HoldRecord, HoldRefusal, Holder, RefusalReason, Standing,
    holders, refusal,
};
pub use order::{InvalidOrderError, Order, Reservation, Status};
pub use overdue::{Overdue, overdue};
pub use place_order::{PaymentMethod, PlaceOrder};
pub use transition::Transition;
