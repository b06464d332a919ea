//! `emporium`: what whoever is on call needs to see and do, against a laptop and
//! against AWS alike.
//!
//! - [`place`] finds the tables and queues: where `health` has them.
//! - [`shop`] opens them. Orders are cancelled and events announced again by the
//!   code of the services, not by a second version of it.
//! - [`order`] shows, resumes and cancels one order; [`dead_letters`] lists messages
//!   that were given up and sends them back; [`contradictions`] lists events that
//!   contradict what is recorded; [`outbox`] shows what is not published; [`check`]
//!   reads whole tables for what contradicts itself; [`reconcile`] brings a restored
//!   catalogue up to date.
//! - [`command`] reads the command line.
//!
//! Every call is bounded, nothing personal is printed, and every change is safe to
//! repeat.

pub mod check;
pub mod command;
pub mod contradictions;
pub mod dead_letters;
pub mod facts;
pub mod order;
pub mod outbox;
pub mod place;
pub mod reconcile;
pub mod shop;
mod text;

pub use command::{Command, Outcome, run};
pub use shop::Shop;
