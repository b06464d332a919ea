//! The users service: accounts, sessions, and the credentials that prove who somebody is.
//!
//! - [`domain`]: the rules of accounts, sessions, passwords and second factors; pure.
//! - [`credentials`]: password hashes, access and refresh tokens, second factors, the
//!   internal key.
//! - [`store`]: the table.
//! - [`api`]: one handler a file, and the authorizer of the whole API. The authorizer
//!   and the public keys belong to this service because sessions and keys do, and no
//!   service reads another's table.
//! - [`events`]: the relay of the service's events, and the erasure of closed accounts.
//! - [`app`]: what the functions share.
//!
//! A session ends everywhere at once: `authorize` reads the session and its user for
//! every request, so an access token that has not expired is still rejected as soon as
//! either is invalid.

pub mod api;
pub mod app;
pub mod credentials;
pub mod domain;
pub mod events;
pub mod store;

use runtime::Function;

/// Every function of the service.
pub fn functions() -> Vec<Function> {
    vec![
        api::authorize::function(),
        api::serve_jwks::function(),
        api::register_user::function(),
        api::log_in::function(),
        api::refresh_tokens::function(),
        api::log_out::function(),
        api::get_current_user::function(),
        api::verify_token::function(),
        api::verify_email::function(),
        api::resend_verification::function(),
        api::request_password_reset::function(),
        api::reset_password::function(),
        api::change_password::function(),
        api::enroll_mfa::function(),
        api::confirm_mfa::function(),
        api::disable_mfa::function(),
        api::list_sessions::function(),
        api::end_session::function(),
        api::update_profile::function(),
        api::list_addresses::function(),
        api::add_address::function(),
        api::change_address::function(),
        api::remove_address::function(),
        api::list_users::function(),
        api::get_user::function(),
        api::get_user_history::function(),
        api::update_user::function(),
        api::delete_user::function(),
        api::close_account::function(),
        api::export_account::function(),
        events::erase_accounts::function(),
        api::reset_mfa::function(),
        events::relay_user_events::function(),
    ]
}
