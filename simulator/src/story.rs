//! What happened in a run, in order: the story that a failing seed prints, and a
//! fingerprint of it, by which two runs of one seed are compared.

use std::{
    collections::BTreeSet,
    fmt,
    hash::{DefaultHasher, Hasher},
    sync::{Mutex, PoisonError},
};

use kernel::Timestamp;

/// A run's story.
#[derive(Debug, Default)]
pub struct Story(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: bool,
    lines: Vec<String>,
    line: String,
    fingerprint: DefaultHasher,
}

impl Story {
    /// A story that keeps its lines if it is `told`, and else only the fingerprint.
    pub fn new(told: bool) -> Self {
        let inner = Inner {
            told,
            ..Inner::default()
        };
        Self(Mutex::new(inner))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the lines are kept.
    pub fn is_told(&self) -> bool {
        self.with(|inner| inner.told)
    }

    /// Adds a line.
    pub fn tell(&self, time: Timestamp, line: fmt::Arguments<'_>) {
        self.with(|inner| {
            let millis = time.as_millisecond();
            inner.line.clear();
            // Nothing fails to be written to a text.
            let _ = fmt::write(&mut inner.line, line);
            inner.fingerprint.write_i64(millis);
            inner.fingerprint.write(inner.line.as_bytes());
            if inner.told {
                inner.lines.push(stamped(time, &inner.line));
            }
        });
    }

    /// Adds a line that is no part of the fingerprint, if lines are kept.
    pub fn detail(&self, time: Timestamp, line: &str) {
        self.with(|inner| {
            if inner.told {
                inner.lines.push(stamped(time, line));
            }
        });
    }

    /// The lines, if they are kept.
    pub fn lines(&self) -> Vec<String> {
        self.with(|inner| inner.lines.clone())
    }

    /// The same for two runs in which the same happened.
    pub fn fingerprint(&self) -> u64 {
        self.with(|inner| inner.fingerprint.finish())
    }
}

/// A line with the day and the time.
fn stamped(time: Timestamp, line: &str) -> String {
    format!("{} {line}", time.strftime("%d %H:%M:%S%.3f"))
}

/// The most lines of an excerpt.
const EXCERPT_MAX: usize = 60;
/// Whether the text is an id: a UUID.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4
}

/// The lines of a story that are about whatever is wrong: those with an id that is in a
/// violation, or of what had to do with one of those; and what was down.
pub fn excerpt(lines: &[String], violations: &[String]) -> Vec<String> {
    let split = |c: char| !c.is_ascii_hexdigit() && c != '-';
    let ids = |line: &str| -> BTreeSet<String> {
        let words = line.split(split);
        words
            .filter(|word| is_id(word))
            .map(str::to_owned)
            .collect()
    };
    let Some(violation) = violations.iter().find(|one| !ids(one).is_empty()) else {
        let skipped = lines.len().saturating_sub(EXCERPT_MAX);
        return lines[skipped..].to_vec();
    };
    let mut wanted = ids(violation);
    // A payment and a reservation are named together with their order.
    for line in lines.iter().filter(|line| line.contains(" of order ")) {
        let named = ids(line);
        if !named.is_disjoint(&wanted) {
            wanted.extend(named);
        }
    }
    let is_wanted = |line: &&String| line.contains("is down") || !ids(line).is_disjoint(&wanted);
    let mut excerpt: Vec<String> = lines.iter().filter(is_wanted).cloned().collect();
    if excerpt.len() > EXCERPT_MAX {
        let skipped = excerpt.len() - EXCERPT_MAX;
        excerpt.drain(EXCERPT_MAX / 2..EXCERPT_MAX / 2 + skipped);
        excerpt.insert(EXCERPT_MAX / 2, format!("… {skipped} lines …"));
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "019b76da-a815-70a5-b965-ac39ddc62327";
    const PAYMENT: &str = "019b76da-a824-7236-964f-62f834228f5f";

    #[test]
    fn an_excerpt_is_about_the_order_that_is_wrong() {
        let lines = [
            format!("ORDER#{ORDER} none → pending"),
            format!("PAYMENT#{PAYMENT} of order {ORDER} none → pending"),
            "reserve-stock: GetItem: Throttled".to_owned(),
            format!("process-payments: PutItem PAYMENT#{PAYMENT}: ReplyLost"),
        ];
        let violations = [format!("order {ORDER} is pending")];
        let excerpt = excerpt(&lines, &violations);
        assert_eq!(
            excerpt,
            [lines[0].clone(), lines[1].clone(), lines[3].clone()]
        );
    }

    #[test]
    fn a_detail_does_not_change_the_fingerprint() {
        let (told, untold) = (Story::new(true), Story::new(false));
        for story in [&told, &untold] {
            story.tell(Timestamp::UNIX_EPOCH, format_args!("one"));
        }
        told.detail(Timestamp::UNIX_EPOCH, "two");
        assert_eq!(told.fingerprint(), untold.fingerprint());
        assert_eq!((told.lines().len(), untold.lines().len()), (2, 0));
    }
}
