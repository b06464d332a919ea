//! Reading, deciding and writing, again when somebody else wrote in between.

use std::time::Duration;

use runtime::Random;

/// The longest wait before the second attempt; it doubles with each next one.
/// Full jitter, so that those who met do not meet again.
const BACK_OFF: Duration = Duration::from_millis(5);
/// Doublings of the wait.
const DOUBLINGS_MAX: u32 = 5;

/// Bounds the attempts of a loop that reads, decides, and writes under the
/// condition that nobody else wrote in between:
///
/// ```ignore
/// let mut attempts = Attempts::new(host.random());
/// while attempts.next().await {
///     let order = store.find(id).await?;
///     match store.append(&order, &decide(&order)).await {
///         Err(CommitError::ConditionFailed(_)) => {} // it changed: decide again
///         result => return result,
///     }
/// }
/// Err(Contended)
/// ```
#[derive(Debug)]
pub struct Attempts {
    random: Random,
    made: u32,
}

impl Attempts {
    /// Attempts before giving up: together they wait for about a second, far
    /// less than a function has.
    pub const MAX: u32 = 12;

    /// No attempt made yet.
    pub fn new(random: &Random) -> Self {
        Self {
            random: random.clone(),
            made: 0,
        }
    }

    /// Whether there is another attempt; waits before every one but the first.
    pub async fn next(&mut self) -> bool {
        if self.made == Self::MAX {
            return false;
        }
        if self.made > 0 {
            back_off(&self.random, BACK_OFF, (self.made - 1).min(DOUBLINGS_MAX)).await;
        }
        self.made += 1;
        true
    }
}

/// Waits up to `first`, doubled so many times.
pub(crate) async fn back_off(random: &Random, first: Duration, doublings: u32) {
    let most = first.saturating_mul(1 << doublings.min(16));
    tokio::time::sleep(random.jitter(most)).await;
}
