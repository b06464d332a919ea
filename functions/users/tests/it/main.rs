//! The service's functions, through the JSON that Lambda gets, on an embedded
//! DynamoDB.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod addresses;
mod admin;
mod authorize;
mod calls;
mod change_password;
mod close_account;
mod erase_accounts;
mod export_account;
mod get_current_user;
mod get_user_history;
mod limits;
mod log_in;
mod log_out;
mod lost_replies;
mod mfa;
mod mfa_admins;
mod mfa_log_in;
mod mfa_reset;
mod refresh_tokens;
mod register_user;
mod relay_user_events;
mod request_mails;
mod reset_password;
mod samples;
mod serve_jwks;
mod sessions;
mod shop;
mod update_profile;
mod update_user;
mod verify_email;
mod verify_token;
