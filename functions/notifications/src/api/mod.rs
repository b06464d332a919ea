//! The service's endpoints, one a file.

pub mod export_notifications;
pub mod list_notifications;
