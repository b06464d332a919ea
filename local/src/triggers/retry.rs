//! What becomes of a batch of stream records after an attempt.

use std::ops::Range;

use super::batch::Verdict;
use crate::template::StreamEvent;

/// What to do next. Ranges are indexes into the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is left.
    Done,
    /// Halve what is left and try each half; this counts as no retry.
    Split(Range<usize>),
    /// Try what is left again.
    Retry(Range<usize>),
    /// Tell the failure destination of what is left, and go on after it.
    GiveUp(Range<usize>),
}

/// The step after an attempt at records with these sequence numbers, which had
/// been tried `retries` times again before.
pub(crate) fn step(
    event: &StreamEvent,
    verdict: &Verdict,
    sequence_numbers: &[&str],
    retries: u32,
) -> Step {
    let all = 0..sequence_numbers.len();
    let (left, whole) = match verdict {
        Verdict::Done => return Step::Done,
        Verdict::Failed => (all, true),
        // The first that failed holds up all after it, done or not.
        Verdict::Except(failed) => {
            let first = sequence_numbers
                .iter()
                .position(|number| failed.contains(*number));
            (first.unwrap_or_default()..all.end, false)
        }
    };
    let exhausted = event.retries_max.is_some_and(|most| retries >= most);
    if whole && event.bisect && left.len() > 1 && event.retries_max != Some(0) {
        Step::Split(left)
    } else if exhausted {
        Step::GiveUp(left)
    } else {
        Step::Retry(left)
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

    fn except(numbers: &[&str]) -> Verdict {
        Verdict::Except(numbers.iter().map(|number| (*number).to_owned()).collect())
    }

    #[test]
    fn a_failed_batch_is_tried_again_until_its_retries_are_used_up() {
        let event = event(false, Some(2));
        assert_eq!(
            step(&event, &Verdict::Failed, NUMBERS, 0),
            Step::Retry(0..4)
        );
        assert_eq!(
            step(&event, &Verdict::Failed, NUMBERS, 1),
            Step::Retry(0..4)
        );
        assert_eq!(
            step(&event, &Verdict::Failed, NUMBERS, 2),
            Step::GiveUp(0..4)
        );
        assert_eq!(step(&event, &Verdict::Done, NUMBERS, 2), Step::Done);
    }

    #[test]
    fn without_a_limit_it_is_tried_for_ever() {
        assert_eq!(
            step(&event(false, None), &Verdict::Failed, NUMBERS, 1_000_000),
            Step::Retry(0..4)
        );
    }

    #[test]
    fn bisecting_narrows_down_to_one_record_before_any_is_given_up() {
        let event = event(true, Some(1));
        assert_eq!(
            step(&event, &Verdict::Failed, NUMBERS, 1),
            Step::Split(0..4)
        );
        assert_eq!(step(&event, &Verdict::Failed, &["3"], 0), Step::Retry(0..1));
        assert_eq!(
            step(&event, &Verdict::Failed, &["3"], 1),
            Step::GiveUp(0..1)
        );
    }

    #[test]
    fn what_lies_before_the_first_failure_is_done() {
        let event = event(true, Some(1));
        assert_eq!(step(&event, &except(&["3"]), NUMBERS, 0), Step::Retry(2..4));
        assert_eq!(
            step(&event, &except(&["4", "2"]), NUMBERS, 0),
            Step::Retry(1..4)
        );
        assert_eq!(
            step(&event, &except(&["2"]), NUMBERS, 1),
            Step::GiveUp(1..4)
        );
    }
}
