//! Dependencies and their health. Pure.

mod health;

pub use health::{Check, CheckListError, Dependency, Health, Kind, Status, dependencies};
