//! The service's functions, through the JSON that Lambda gets, on an embedded
//! DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod authorize;
mod get_current_user;
mod log_in;
mod log_out;
mod refresh_tokens;
mod register_user;
mod relay_user_events;
mod samples;
mod serve_jwks;
mod shop;
mod update_user;
