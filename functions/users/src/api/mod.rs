//! The service's HTTP functions, and the authorizer of the API.

pub mod authorize;
mod errors;
pub mod get_current_user;
pub mod log_in;
pub mod log_out;
pub mod refresh_tokens;
pub mod register_user;
pub mod serve_jwks;
pub mod update_user;
mod views;
