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
mod change_email_privately;
mod change_password;
mod close_account;
mod erase_accounts;
mod export_account;
mod fixture;
mod get_current_user;
mod get_user_history;
mod guess_fixture;
mod guessing;
mod log_in;
mod log_out;
mod lost_replies;
mod mail_limits;
mod mail_requests;
mod mfa;
mod mfa_admins;
mod mfa_fixture;
mod mfa_log_in;
mod mfa_reset;
mod notice_limits;
mod proof_of_mailbox;
mod quoted_addresses;
mod rate_limits;
mod reauthentication;
mod refresh_tokens;
mod register_privately;
mod register_user;
mod relay_user_events;
mod reset_password;
mod samples;
mod serve_jwks;
mod sessions;
mod update_profile;
mod update_user;
mod verify_email;
mod verify_token;
