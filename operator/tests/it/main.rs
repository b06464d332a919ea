//! The operator's command against a shop in this process: the real functions, an
//! embedded DynamoDB, and queues that the tests empty by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod cancel;
mod check;
mod contradictions;
mod dead_letters;
mod fixture;
mod held;
mod outbox;
mod reconcile;
mod resume;
mod show;
