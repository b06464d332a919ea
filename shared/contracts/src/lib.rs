//! What crosses between services: events ([`events`]) and service calls
//! ([`calls`]), and nothing but data. Every event type has a JSON Schema and a
//! golden file in this crate's `schemas/` and `golden/`; a test keeps them.
//!
//! A compatible change adds an optional field. Anything else takes a new type
//! (`order.placed.v2`), and both are published until nobody reads the old one.

pub mod calls;
mod envelope;
pub mod events;

pub use envelope::{Envelope, EventData, ReadEventError, Stamp};
