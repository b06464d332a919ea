//! Welch's t-test: whether the means of two sets of measurements differ by more
//! than chance explains. A second test compares the shares of late measurements,
//! which is how responses delayed to fixed steps would differ.

/// The percentage of slowest measurements that is discarded, because the machine
/// did something else meanwhile; dudect (Reparaz, Balasch, Verbauwhede, 2017) does
/// the same. The threshold applies to both sets together: a threshold per set
/// would hide the slow tail of one.
const CROPPED_PERCENT: usize = 5;

/// Measurements above the median of all by this factor are late: less than one
/// step of delayed responses, but more than the effect of a busy machine.
const LATE: f64 = 1.25;

/// The comparison of two sets of measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Welch's t: the difference of the means in standard errors.
    pub(crate) t: f64,
    /// The difference of the means: the first minus the second.
    pub(crate) difference: f64,
    /// The standard error of that difference.
    pub(crate) error: f64,
    /// The difference of the shares of late measurements in standard errors;
    /// no measurement is discarded for it.
    pub(crate) late: f64,
}

/// Compares two sets.
pub(crate) fn compare(first: &[f64], second: &[f64]) -> Comparison {
    let limit = limit(first, second);
    let kept = |set: &[f64]| -> Vec<f64> {
        let values = set.iter().copied();
        values.filter(|value| *value <= limit).collect()
    };
    Comparison {
        late: late(first, second),
        ..welch(&kept(first), &kept(second))
    }
}

/// Compares the shares of late measurements (pooled two-proportion z-test).
fn late(first: &[f64], second: &[f64]) -> f64 {
    let mut all = [first, second].concat();
    all.sort_by(f64::total_cmp);
    let median = all.get(all.len() / 2).copied().unwrap_or_default();
    let count = |set: &[f64]| set.iter().map(|_| 1.0).sum::<f64>();
    let share = |set: &[f64]| {
        let late: Vec<f64> = set
            .iter()
            .copied()
            .filter(|at| *at > LATE * median)
            .collect();
        count(&late) / count(set)
    };
    let pooled = share(&all);
    let error = (pooled * (1.0 - pooled) * (1.0 / count(first) + 1.0 / count(second))).sqrt();
    if error == 0.0 {
        return 0.0;
    }
    (share(first) - share(second)) / error
}

/// The slowest measurement that is not discarded.
fn limit(first: &[f64], second: &[f64]) -> f64 {
    let mut all = [first, second].concat();
    all.sort_by(f64::total_cmp);
    let cropped = all.len() * CROPPED_PERCENT / 100;
    let last = all.len().saturating_sub(cropped + 1);
    all.get(last).copied().unwrap_or_default()
}

/// Welch, 1947: with a separate variance for each set.
fn welch(first: &[f64], second: &[f64]) -> Comparison {
    let ((mean_first, squared_first), (mean_second, squared_second)) =
        (mean_and_error(first), mean_and_error(second));
    let difference = mean_first - mean_second;
    let error = (squared_first + squared_second).sqrt();
    Comparison {
        t: difference / error,
        difference,
        error,
        late: 0.0,
    }
}

/// The mean and its squared standard error.
fn mean_and_error(set: &[f64]) -> (f64, f64) {
    let count = set.iter().map(|_| 1.0).sum::<f64>();
    let mean = set.iter().sum::<f64>() / count;
    let squares = set.iter().map(|value| (value - mean).powi(2));
    let variance = squares.sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.000_05
    }

    /// What R says of its own data: `t.test(extra ~ group, sleep)` (Student's,
    /// of 1908) and `t.test(mpg ~ am, mtcars)`, whose sets are not of one size.
    #[test]
    fn known_sets_have_their_known_t() {
        let sleep = [
            [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
            [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
        ];
        let automatic = [
            21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7,
            21.5, 15.5, 15.2, 13.3, 19.2,
        ];
        let manual = [
            21.0, 21.0, 22.8, 32.4, 30.4, 33.9, 27.3, 26.0, 30.4, 15.8, 19.7, 15.0, 21.4,
        ];
        for (first, second, t) in [
            (&sleep[0][..], &sleep[1][..], -1.8608),
            (&automatic, &manual, -3.7671),
        ] {
            let found = welch(first, second).t;
            assert!((found - t).abs() < 0.000_05, "{found} is not {t}");
        }
    }

    #[test]
    fn a_set_equals_itself_and_swapping_the_sets_negates_the_result() {
        let (one, two) = ([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]);
        assert!(close(compare(&one, &one).t, 0.0));
        // By hand: variances 5/3, so the error is the root of 2 · 5/12.
        let found = compare(&one, &two);
        assert!(close(found.difference, -1.0) && close(found.error, 0.9129));
        assert!(close(found.t, -1.0954));
        assert!(close(compare(&two, &one).t, 1.0954));
    }

    /// 15 of 100 and 5 of 100: 0.1 over the root of 0.1 · 0.9 · 2/100.
    #[test]
    fn late_measurements_are_compared_by_share_and_never_discarded() {
        let set = |late: usize| {
            let mut set = [50.0; 100];
            set[..late].fill(100.0);
            set
        };
        assert!(close(compare(&set(15), &set(5)).late, 2.3570));
        assert!(close(compare(&set(5), &set(15)).late, -2.3570));
        assert!(close(compare(&set(0), &set(0)).late, 0.0));
        // Few enough to be discarded, and all in one set.
        let (few, none) = (compare(&set(9), &set(0)), compare(&set(0), &set(0)));
        assert!(few.t.is_nan() || few.t.abs() < 4.5);
        assert!(few.late > 3.0 && close(none.late, 0.0));
    }

    #[test]
    fn the_slowest_measurements_are_discarded_from_both_sets() {
        let quiet: Vec<f64> = (0..100).map(|n| f64::from(n % 10)).collect();
        let mut disturbed = quiet.clone();
        disturbed[..10].fill(1_000_000.0);
        assert!(compare(&quiet, &disturbed).difference.abs() < 1.0);
        assert!(welch(&quiet, &disturbed).difference.abs() > 10_000.0);
        // A difference of all measurements remains.
        let slower: Vec<f64> = quiet.iter().map(|value| value + 3.0).collect();
        assert!(compare(&slower, &quiet).t > 4.5);
    }
}
