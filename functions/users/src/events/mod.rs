//! What this service does about events: it only announces its own.

pub mod relay_user_events;
