//! The data that services exchange: events ([`events`]) and calls ([`calls`]).
//! Every event type has a JSON Schema and a golden file in this crate's
//! `schemas/` and `golden/`, which a test compares with the code.
//!
//! A compatible change adds an optional field. Anything else takes a new type
//! (`order.placed.v2`), and both are published until no consumer reads the old one.

#![warn(missing_docs)]

pub mod calls;
mod envelope;
pub mod events;
mod order_total;
mod private;

pub use envelope::{Envelope, EventData, ReadEventError, Stamp};
pub use order_total::{OrderTotalError, order_total};
pub use private::private_members;
