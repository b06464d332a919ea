//! Answers that come in steps of time.
//!
//! What is done for an address that somebody has and for one that nobody has
//! is the same, call by call, but not to the microsecond: an item that is there
//! takes longer to read than one that is not. Whoever asks often enough would
//! see it in the mean. So these answers wait for the end of a step.

use std::time::{Duration, Instant};

/// How long a step is: longer than the work takes when all is well, and too
/// short for a person to mind.
const STEP: Duration = Duration::from_millis(50);

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
            (0, 50),
            (1, 49),
            (20, 30),
            (49, 1),
            (50, 50),
            (51, 49),
            (149, 1),
        ] {
            let found = rest_of_step(Duration::from_millis(elapsed));
            assert_eq!(found, Duration::from_millis(wait), "{elapsed}");
        }
        let almost = STEP - Duration::from_nanos(1);
        assert_eq!(rest_of_step(almost), Duration::from_nanos(1));
    }
}
