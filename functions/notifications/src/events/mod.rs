//! The service's consumers, one a file, and its relay.

pub mod compose_notifications;
pub mod deliver_email;
pub mod relay_notification_events;
