//! How many requests are under way at once.

use std::sync::LazyLock;

use tokio::sync::{Semaphore, SemaphorePermit};

/// More than any test sends.
const MANY: usize = 10_000;

/// `REQUESTS_AT_ONCE` spares a shop that takes few at a time; a laptop's and
/// one in AWS make the others wait by themselves.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let environment = runtime::Environment::of_process();
    let turns = environment.parse_or("REQUESTS_AT_ONCE", MANY, "a number");
    Semaphore::new(turns.unwrap())
});

/// Waits for a turn, which lasts until it is dropped.
pub(crate) async fn take() -> SemaphorePermit<'static> {
    TURNS.acquire().await.unwrap()
}
