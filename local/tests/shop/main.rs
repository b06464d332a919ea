//! A small shop of toy functions against the real embedded services.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is how a test fails"
)]

mod calls;
mod http;
mod toy;
mod work;
