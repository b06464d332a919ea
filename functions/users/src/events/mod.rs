//! What the service does without a request: publish its events, and erase closed
//! accounts.

pub mod erase_accounts;
pub mod relay_user_events;
