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
    time_max: Duration,
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
            time_max: Self::TIME_MAX,
            made: 0,
        }
    }

    /// The same, with another time after which no attempt begins: for functions
    /// whose callers wait for less than 10 s.
    #[must_use]
    pub fn within(self, time_max: Duration) -> Self {
        Self { time_max, ..self }
    }

    /// Whether there is another attempt; waits before every one but the first.
    pub async fn next(&mut self) -> bool {
        if self.made > 0 {
            if self.made == Self::MAX || self.stopwatch.elapsed() >= self.time_max {
                return false;
            }
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

    /// The shortest waits.
    fn attempts() -> Attempts {
        Attempts::new(&Random::new(|bytes| bytes.fill(0)))
    }

    #[tokio::test]
    async fn attempts_are_bounded() {
        let (mut attempts, mut made) = (attempts(), 0);
        while attempts.next().await {
            made += 1;
        }
        assert_eq!(made, Attempts::MAX);
        assert!(!attempts.next().await, "it stays over");
    }

    #[tokio::test]
    async fn when_the_time_is_up_only_the_first_attempt_is_made() {
        let mut attempts = Attempts {
            time_max: Duration::ZERO,
            ..attempts()
        };
        assert!(attempts.next().await);
        assert!(!attempts.next().await);
    }

    #[test]
    fn all_waits_together_are_a_part_of_the_time() {
        let waits =
            (0..Attempts::MAX - 1).map(|doublings| BACK_OFF * (1 << doublings.min(DOUBLINGS_MAX)));
        assert!(waits.sum::<Duration>() < Attempts::TIME_MAX / 3);
    }
}
