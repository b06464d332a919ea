//! What several handlers use.

pub(super) mod accounts;
pub(super) mod address_book;
pub(super) mod current_password;
pub(super) mod errors;
pub(super) mod events;
pub(super) mod rate_limits;
pub(super) mod reauthentication;
pub(super) mod sessions;
pub(super) mod timing;
pub(super) mod token_mail;
pub(super) mod views;
