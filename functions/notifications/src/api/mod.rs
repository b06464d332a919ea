//! The service's endpoints, one a file.

pub mod list_notifications;
