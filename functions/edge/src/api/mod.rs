//! The handlers, one a file.

pub mod health;
pub mod reject_unknown_route;
