//! The users service: who has an account, who is signed in, and what proves it.
//!
//! - [`domain`]: addresses, passwords, users, sessions, and who is let in; pure.
//! - [`passwords`]: Argon2id. [`tokens`]: access tokens (JWT) and refresh tokens.
//!   [`factors`]: codes of authenticator apps (TOTP) and recovery codes.
//! - [`store`]: the table. One item a user, address, session, second factor,
//!   verification and address under guess; events stand beside the user they
//!   tell of.
//! - [`api`]: one handler a file, and the authorizer of the whole API. It and
//!   the public keys live here, because sessions and keys are this service's
//!   and no service reads another's table.
//! - [`events`]: the relay of what this service announces.
//! - [`internal_key`]: the key of machine clients.
//! - [`app`]: what the functions share, and the secrets they read at the start.
//!
//! A session ends at once, everywhere: `authorize` reads the session's and the
//! person's item on every request, so an access token is good only as long as
//! both say so, whatever its own expiry says.

pub mod api;
pub mod app;
pub mod domain;
pub mod events;
pub mod factors;
pub mod internal_key;
pub mod passwords;
pub mod store;
pub mod tokens;

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
