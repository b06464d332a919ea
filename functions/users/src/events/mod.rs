//! What this service does by itself: it publishes what it announced, and
//! erases who has gone.

pub mod erase_accounts;
pub mod relay_user_events;
