//! The queue consumers and the relay, one a file.

pub mod compose_notifications;
pub mod deliver_email;
mod mail_limits;
pub mod relay_notification_events;
