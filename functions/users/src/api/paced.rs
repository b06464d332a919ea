//! Answers that come in steps of time.
//!
//! What is done for an address that somebody has and for one that nobody has
//! is the same, call by call, but not to the microsecond: an item that is there
//! takes longer to read than one that is not. Whoever asks often enough would
//! see it in the mean. So these answers wait for the end of a step.

use std::time::{Duration, Instant};

/// How long a step is. The work must end well within it, or the difference
/// would show in how often it does not: a refused log-in takes about 50 ms in
/// Lambda (28 of a hash at 1,024 MB, and four calls). A person does not mind.
const STEP: Duration = Duration::from_millis(100);

/// Waits until a whole number of steps have passed since `begun`.
pub(super) async fn until_whole_step(begun: Instant) {
    tokio::time::sleep(rest_of_step(begun.elapsed())).await;
}

/// What is left of the step that an amount of time ends in.
fn rest_of_step(elapsed: Duration) -> Duration {
    let into = elapsed.as_nanos() % STEP.as_nanos();
    let left = STEP.as_nanos() - into;
    Duration::from_nanos(u64::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_wait_are_whole_steps_together() {
        for (elapsed, wait) in [
            (0, 100),
            (1, 99),
            (40, 60),
            (99, 1),
            (100, 100),
            (101, 99),
            (299, 1),
        ] {
            let found = rest_of_step(Duration::from_millis(elapsed));
            assert_eq!(found, Duration::from_millis(wait), "{elapsed}");
        }
        let almost = STEP - Duration::from_nanos(1);
        assert_eq!(rest_of_step(almost), Duration::from_nanos(1));
    }
}
