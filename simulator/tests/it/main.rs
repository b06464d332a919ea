//! The simulator itself: seeds replay, storms pass, and what is broken is noticed.

#![expect(
    clippy::unwrap_used,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod database;
mod runs;
