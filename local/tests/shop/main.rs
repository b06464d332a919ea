//! Tests of the development server: a small template with toy functions, on the
//! real embedded services.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod calls;
mod http;
mod toy;
mod work;
