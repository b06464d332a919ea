//! The functions that are called, one a file.

pub mod export_notifications;
pub mod list_notifications;
mod views;
