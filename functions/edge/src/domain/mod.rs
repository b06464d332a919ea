//! What health is, without asking anybody.

mod health;

pub use health::{Check, CheckListError, Dependency, Health, Kind, Status, dependencies};
