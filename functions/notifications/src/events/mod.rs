//! The queue consumers and the relay, one a file.

pub mod compose_notifications;
pub mod deliver_email;
pub mod relay_notification_events;
