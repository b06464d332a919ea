//! Retrying batches of stream records.

use std::ops::Range;

use super::batch::BatchResult;
use crate::template::StreamEvent;

/// What to do after an attempt. Ranges are indexes into the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextAction {
    /// Continue after the batch.
    Continue,
    /// Split the range in two and try each half. This does not count as a retry.
    Bisect(Range<usize>),
    /// Try the range again.
    Retry(Range<usize>),
    /// Report the range to the failure destination, and continue after it.
    GiveUp(Range<usize>),
}

/// The action after an attempt at records with these sequence numbers, which had
/// been retried `retries` times before.
pub(crate) fn next_action(
    event: &StreamEvent,
    result: &BatchResult,
    sequence_numbers: &[&str],
    retries: u32,
) -> NextAction {
    let all = 0..sequence_numbers.len();
    let (left, whole) = match result {
        BatchResult::Succeeded => return NextAction::Continue,
        BatchResult::Failed => (all, true),
        // Records are in order, so all after the first failure are tried again,
        // including those that succeeded.
        BatchResult::FailedItems(failed) => {
            let first = sequence_numbers
                .iter()
                .position(|number| failed.contains(*number));
            (first.unwrap_or_default()..all.end, false)
        }
    };
    let exhausted = event.retries_max.is_some_and(|max| retries >= max);
    if whole && event.bisect && left.len() > 1 && event.retries_max != Some(0) {
        NextAction::Bisect(left)
    } else if exhausted {
        NextAction::GiveUp(left)
    } else {
        NextAction::Retry(left)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(bisect: bool, retries_max: Option<u32>) -> StreamEvent {
        StreamEvent {
            line: 1,
            name: "Stream".into(),
            table: "Table".into(),
            from_oldest: true,
            batch_size: 10,
            window: Duration::ZERO,
            bisect,
            retries_max,
            age_max: None,
            parallel: 1,
            on_failure: None,
            filters: Vec::new(),
            report_failures: true,
            enabled: true,
        }
    }

    const NUMBERS: &[&str] = &["1", "2", "3", "4"];

    fn except(numbers: &[&str]) -> BatchResult {
        BatchResult::FailedItems(numbers.iter().map(|number| (*number).to_owned()).collect())
    }

    #[test]
    fn a_failed_batch_is_retried_until_its_retries_are_exhausted() {
        let event = event(false, Some(2));
        assert_eq!(
            next_action(&event, &BatchResult::Failed, NUMBERS, 0),
            NextAction::Retry(0..4)
        );
        assert_eq!(
            next_action(&event, &BatchResult::Failed, NUMBERS, 1),
            NextAction::Retry(0..4)
        );
        assert_eq!(
            next_action(&event, &BatchResult::Failed, NUMBERS, 2),
            NextAction::GiveUp(0..4)
        );
        assert_eq!(
            next_action(&event, &BatchResult::Succeeded, NUMBERS, 2),
            NextAction::Continue
        );
    }

    #[test]
    fn without_a_limit_a_batch_is_retried_for_ever() {
        assert_eq!(
            next_action(
                &event(false, None),
                &BatchResult::Failed,
                NUMBERS,
                1_000_000
            ),
            NextAction::Retry(0..4)
        );
    }

    #[test]
    fn bisecting_narrows_down_to_one_record_before_any_is_given_up() {
        let event = event(true, Some(1));
        assert_eq!(
            next_action(&event, &BatchResult::Failed, NUMBERS, 1),
            NextAction::Bisect(0..4)
        );
        assert_eq!(
            next_action(&event, &BatchResult::Failed, &["3"], 0),
            NextAction::Retry(0..1)
        );
        assert_eq!(
            next_action(&event, &BatchResult::Failed, &["3"], 1),
            NextAction::GiveUp(0..1)
        );
    }

    #[test]
    fn records_before_the_first_failure_have_succeeded() {
        let event = event(true, Some(1));
        assert_eq!(
            next_action(&event, &except(&["3"]), NUMBERS, 0),
            NextAction::Retry(2..4)
        );
        assert_eq!(
            next_action(&event, &except(&["4", "2"]), NUMBERS, 0),
            NextAction::Retry(1..4)
        );
        assert_eq!(
            next_action(&event, &except(&["2"]), NUMBERS, 1),
            NextAction::GiveUp(1..4)
        );
    }
}
