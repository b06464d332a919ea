//! The relay, where AWS does what the embedded services do not: it refuses a part
//! of a batch, delivers late and again, and is away.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod stream;
mod support;
mod sweep;
