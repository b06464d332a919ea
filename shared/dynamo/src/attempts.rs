//! Reading, deciding and writing, again when somebody else wrote in between.

use std::time::Duration;

use runtime::{Random, Stopwatch};

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
    stopwatch: Stopwatch,
    made: u32,
}

impl Attempts {
    /// Attempts before giving up. Together they wait for 1.1 s at most.
    pub const MAX: u32 = 12;
    /// The time after which no attempt begins: a function has 10 s, and an
    /// attempt of two calls to the store may take several.
    pub const TIME_MAX: Duration = Duration::from_secs(4);

    /// No attempt made yet.
    pub fn new(random: &Random) -> Self {
        Self {
            random: random.clone(),
            stopwatch: Stopwatch::start(),
            made: 0,
        }
    }

    /// Whether there is another attempt; waits before every one but the first.
    pub async fn next(&mut self) -> bool {
        if self.made == Self::MAX || self.stopwatch.elapsed() >= Self::TIME_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_only_the_first_does_not_wait() {
        let mut attempts = Attempts::new(&Random::new(|bytes| bytes.fill(255)));
        let (mut made, stopwatch) = (0, Stopwatch::start());
        while attempts.next().await {
            made += 1;
            let waited = stopwatch.elapsed();
            assert_eq!(waited.is_zero(), made == 1, "{made}: {waited:?}");
        }
        assert_eq!(made, Attempts::MAX);
        assert!(stopwatch.elapsed() < Duration::from_millis(1_200));
        assert!(!attempts.next().await, "it stays over");
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_when_the_time_is_up() {
        let mut attempts = Attempts::new(&Random::system());
        assert!(attempts.next().await);
        tokio::time::sleep(Attempts::TIME_MAX).await;
        assert!(!attempts.next().await);
    }
}
