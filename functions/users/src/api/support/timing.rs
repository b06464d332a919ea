//! Replies whose time does not reveal whether there is an account.
//!
//! The work for an address with an account and for one without is the same, call by
//! call, but not to the microsecond: an existing item takes longer to read. Averaged over
//! enough requests the difference would show. So these replies are delayed to the end of
//! an interval.

use std::time::Duration;

use runtime::Stopwatch;

/// The work must end well within it, or the difference would show in how often it
/// does not: a refused login takes about 50 ms in Lambda (28 of them for a hash at
/// 1,024 MB, and four calls). People do not notice the delay.
const INTERVAL: Duration = Duration::from_millis(100);

/// Waits until the time since the start is a whole number of intervals.
pub(in crate::api) async fn pad_to_interval(stopwatch: Stopwatch) {
    tokio::time::sleep(rest_of_interval(stopwatch.elapsed())).await;
}

fn rest_of_interval(elapsed: Duration) -> Duration {
    let rest = INTERVAL.as_nanos() - elapsed.as_nanos() % INTERVAL.as_nanos();
    Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_wait_add_up_to_whole_intervals() {
        for (elapsed, wait) in [
            (0, 100),
            (1, 99),
            (40, 60),
            (99, 1),
            (100, 100),
            (101, 99),
            (299, 1),
        ] {
            let found = rest_of_interval(Duration::from_millis(elapsed));
            assert_eq!(found, Duration::from_millis(wait), "{elapsed}");
        }
        let almost = INTERVAL - Duration::from_nanos(1);
        assert_eq!(rest_of_interval(almost), Duration::from_nanos(1));
    }
}
