//! How times and ids are written for people.

use kernel::{SignedDuration, Timestamp};

/// Characters of a provider's reference that are shown at each end: enough to find
/// it at the provider, too few to use it.
const REFERENCE_ENDS: usize = 4;

/// `3 min`, for a time that has passed.
pub(crate) fn age(now: Timestamp, then: Timestamp) -> String {
    duration(now.duration_since(then))
}

pub(crate) fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// To the second: `2026-01-01 12:00:00`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub(crate) fn shortened(reference: &str) -> String {
    let letters: Vec<char> = reference.chars().collect();
    if letters.len() <= 3 * REFERENCE_ENDS {
        return "…".to_owned();
    }
    let head: String = letters[..REFERENCE_ENDS].iter().collect();
    let tail: String = letters[letters.len() - REFERENCE_ENDS..].iter().collect();
    format!("{head}…{tail}")
}

/// The name of a unit enum's variant, as it is stored.
pub(crate) fn code(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(code)) => code,
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_shows_its_ends_only() {
        assert_eq!(shortened("pi_3MtwBwLkdIwHu7ix28a3tqPa"), "pi_3…tqPa");
        assert_eq!(shortened("short"), "…");
    }

    #[test]
    fn ages_are_rounded_down() {
        for (seconds, text) in [
            (-5, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), text);
        }
    }
}
