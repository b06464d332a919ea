//! Drives a running shop over HTTP.
//!
//! Black-box tests, the cost measurement and the benchmarks share this client.
//! Every call states the status it expects; any other reply panics with the
//! caller's location, the request and the body, which ends the test or the run.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "only tests and measurements use this crate, and an unexpected reply must end them"
)]

mod http;
mod shop;
mod unique;
mod wait;

pub use http::{Client, Reply};
pub use reqwest::{Method, StatusCode};
pub use shop::{Account, new_email, new_key, order_of, shipping_address};
pub use unique::unique;
pub use wait::eventually;
