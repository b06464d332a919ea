//! The service's HTTP functions, and the authorizer of the API.

pub mod add_address;
mod address_book;
pub mod authorize;
pub mod change_address;
pub mod change_password;
pub mod close_account;
pub mod confirm_mfa;
mod current_password;
pub mod delete_user;
pub mod disable_mfa;
pub mod end_session;
pub mod enroll_mfa;
mod errors;
pub mod export_account;
pub mod get_current_user;
pub mod get_user;
pub mod get_user_history;
pub mod limits;
pub mod list_addresses;
pub mod list_sessions;
pub mod list_users;
pub mod log_in;
pub mod log_out;
mod mail_request;
mod paced;
pub mod refresh_tokens;
pub mod register_user;
pub mod remove_address;
pub mod request_password_reset;
pub mod resend_verification;
pub mod reset_mfa;
pub mod reset_password;
pub mod serve_jwks;
pub mod update_profile;
pub mod update_user;
pub mod verify_email;
pub mod verify_token;
mod views;

/// Tries to change what others change at the same time.
const TRIES_MAX: u32 = 5;
