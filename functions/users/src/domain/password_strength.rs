//! How hard a password is to guess, judged at a bounded cost.

use std::{collections::HashSet, fmt, sync::LazyLock};

use zxcvbn::{
    Entropy, Match, Score,
    matching::patterns::{MatchPattern, RepeatPattern},
    zxcvbn,
};

/// Characters of a password's beginning and of its end that are judged. The work grows
/// faster than the length (128 characters took seven times as long as a hash), and a
/// password of which a part is hard to guess is hard to guess.
const JUDGED_LENGTH: usize = 32;
/// The most work for one part, in the unit of [`work`]. 32 characters reach it with eight
/// ways to read them, and random ones have fewer.
const WORK_MAX: usize = 8 * JUDGED_LENGTH * JUDGED_LENGTH;
/// Characters that [`zxcvbn`] reads as the same letter. It tries every combination of
/// those in a password; letters with a single look-alike add none.
const LOOK_ALIKES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];
/// Words about the person that [`zxcvbn`] looks for.
const HINTS_MAX: usize = 32;
/// Shorter words say little, and occur in any text.
const WORD_LENGTH_MIN: usize = 3;
/// "Safely unguessable": over 10⁸ guesses.
const SCORE_MIN: Score = Score::Three;
/// What a part of a longer password must exceed as well, in powers of ten.
const CUT_GUESSES_MIN: f64 = 10.0;
/// Half of what is judged: a longer repetition may be cut.
const REPETITION_LENGTH_MIN: usize = JUDGED_LENGTH / 2;
/// Letters and digits next to a cut that may belong to a word.
const FRAGMENT_LENGTH_MAX: usize = 12;

/// About 8,000 common passwords from breaches (the file names its source).
/// [`zxcvbn`] has its own list; a password on either is refused.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with("# ")).collect()
});

/// Why a password is refused.
#[derive(Debug, PartialEq)]
pub(super) enum Weakness {
    Common,
    /// With what would help.
    Guessable(Vec<String>),
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is too easy to guess.")?;
        match self {
            Self::Common => f.write_str(" It is on lists of common passwords."),
            Self::Guessable(sentences) => sentences
                .iter()
                .try_for_each(|sentence| write!(f, " {sentence}")),
        }
    }
}

/// Reads the word lists, once.
pub(super) fn warm_up() {
    let _ = zxcvbn("correct horse", &[]);
    LazyLock::force(&COMMON);
}

/// What makes a password easy to guess for somebody who knows `known_words`.
///
/// A repetition is judged once, since repeating a text does not make it harder to guess.
/// What is left without the known words has to be hard to guess too: [`zxcvbn`] would not
/// recognise a word that is longer than what it judges, or cut where that ends.
pub(super) fn weakness(password: &str, known_words: &[&str]) -> Option<Weakness> {
    let text: Vec<char> = password.chars().collect();
    let text = without_repetitions(&text);
    let hints: Vec<String> = known_words
        .iter()
        .take(HINTS_MAX)
        .map(|word| word.chars().take(JUDGED_LENGTH).collect())
        .collect();
    let hints: Vec<&str> = hints.iter().map(String::as_str).collect();
    weakness_of(&text, &hints).or_else(|| {
        let rest = without_words(&text, known_words);
        let has_words = rest.len() < text.len();
        has_words
            .then(|| weakness_of(&without_repetitions(&rest), &hints))
            .flatten()
    })
}

/// Whether a password contains a word, or a part of it.
pub(super) fn mentions(password: &str, word: &str) -> bool {
    let text: Vec<char> = password.chars().collect();
    without_words(&text, &[word]).len() < text.len()
}

fn weakness_of(text: &[char], hints: &[&str]) -> Option<Weakness> {
    let whole: String = text.iter().collect();
    if COMMON.contains(whole.to_lowercase().as_str()) {
        return Some(Weakness::Common);
    }
    let (first, last) = judged_parts(text);
    let estimate = first.estimate(hints);
    let is_strong = first.is_strong(&estimate)
        || last.is_some_and(|last| last.is_strong(&last.estimate(hints)));
    (!is_strong).then(|| {
        let feedback = estimate.feedback();
        let warning = feedback.and_then(|feedback| feedback.warning());
        let warning = warning.map(|warning| warning.to_string()).into_iter();
        let suggestions = feedback.map(|feedback| feedback.suggestions());
        let suggestions = suggestions.into_iter().flatten().map(ToString::to_string);
        Weakness::Guessable(warning.chain(suggestions).collect())
    })
}

/// The end of a part at which the password goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Nowhere,
    Start,
    End,
}

#[derive(Debug)]
struct Part<'a> {
    text: &'a [char],
    cut: Cut,
}

impl Part<'_> {
    fn estimate(&self, hints: &[&str]) -> Entropy {
        zxcvbn(&self.text.iter().collect::<String>(), hints)
    }

    /// The remains of a word that was cut look like random letters, and of a repetition
    /// like something that follows it: neither makes a part strong.
    fn is_strong(&self, estimate: &Entropy) -> bool {
        let without_remains = || {
            let matches = estimate.sequence().iter();
            matches.map(|found| self.guesses(found)).sum::<f64>() >= CUT_GUESSES_MIN
        };
        estimate.score() >= SCORE_MIN && (self.cut == Cut::Nowhere || without_remains())
    }

    /// In powers of ten.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn guesses(&self, found: &Match) -> f64 {
        let guesses = match &found.pattern {
            MatchPattern::Repeat(RepeatPattern { base_guesses, .. }) => *base_guesses,
            MatchPattern::BruteForce => {
                let length = found.token.chars().count();
                return (length - self.remains(found)) as f64;
            }
            _ => found.guesses.unwrap_or(1),
        };
        (guesses.max(1) as f64).log10()
    }

    /// Characters of unrecognised text which may be the remains of a word.
    fn remains(&self, found: &Match) -> usize {
        let is_part = |c: &char| c.is_alphanumeric();
        let characters = || found.token.chars().take_while(is_part);
        let remains = match self.cut {
            Cut::Start if found.i == 0 => characters().count(),
            Cut::End if found.j + 1 == self.text.len() => {
                found.token.chars().rev().take_while(is_part).count()
            }
            _ => 0,
        };
        remains.min(FRAGMENT_LENGTH_MAX)
    }
}

/// The beginning and, of a password that is not judged whole, the end.
fn judged_parts(text: &[char]) -> (Part<'_>, Option<Part<'_>>) {
    let length = judged_length(text.iter());
    if length == text.len() {
        let cut = Cut::Nowhere;
        return (Part { text, cut }, None);
    }
    let first = Part {
        text: &text[..length],
        cut: Cut::End,
    };
    let start = text.len() - judged_length(text.iter().rev());
    let last = Part {
        text: &text[start..],
        cut: Cut::Start,
    };
    (first, Some(last))
}

/// How many of the characters to judge.
fn judged_length<'a>(characters: impl Iterator<Item = &'a char>) -> usize {
    let mut seen = Vec::new();
    for character in characters.take(JUDGED_LENGTH) {
        seen.push(*character);
        if work(&seen) > WORK_MAX {
            return seen.len() - 1;
        }
    }
    seen.len()
}

/// What judging a text takes: every part of it is looked up in every reading.
fn work(text: &[char]) -> usize {
    let readings = LOOK_ALIKES.iter().map(|letter| {
        let found = letter.chars().filter(|c| text.contains(c)).count();
        found.max(1)
    });
    readings.product::<usize>() * text.len() * text.len()
}

/// A text with every long repetition, in any case, replaced by what it repeats. The last
/// one may be incomplete. [`zxcvbn`] recognises short ones.
fn without_repetitions(text: &[char]) -> Vec<char> {
    let folded: Vec<char> = text.iter().copied().map(fold).collect();
    let (mut rest, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let repetition = (1..=(text.len() - at) / 2).find_map(|period| {
            let repeated = folded[at..].iter().zip(&folded[at + period..]);
            let length = period + repeated.take_while(|(one, next)| one == next).count();
            (length >= REPETITION_LENGTH_MIN.max(2 * period)).then_some((period, length))
        });
        let (period, length) = repetition.unwrap_or((1, 1));
        rest.extend(&text[at..at + period]);
        at += length;
    }
    rest
}

/// A text without the words and their parts, the longest first.
fn without_words(text: &[char], words: &[&str]) -> Vec<char> {
    let mut words: Vec<Vec<char>> = words.iter().flat_map(|word| spellings(word)).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    let mut rest = text.to_vec();
    for word in words {
        let mut at = 0;
        while at + word.len() <= rest.len() {
            let found = rest[at..at + word.len()].iter().copied().map(fold);
            if found.eq(word.iter().copied()) {
                rest.drain(at..at + word.len());
            } else {
                at += 1;
            }
        }
    }
    rest
}

/// A word as a whole and in parts, each in both directions.
fn spellings(word: &str) -> Vec<Vec<char>> {
    let parts = word.split(|c: char| !c.is_alphanumeric());
    let letters = word.split(|c: char| !c.is_alphabetic());
    let forwards: Vec<Vec<char>> = std::iter::once(word)
        .chain(parts)
        .chain(letters)
        .map(|part| part.chars().map(fold).collect::<Vec<_>>())
        .filter(|part| part.len() >= WORD_LENGTH_MIN)
        .collect();
    let backwards = forwards
        .iter()
        .map(|part| part.iter().rev().copied().collect());
    let backwards: Vec<Vec<char>> = backwards.collect();
    forwards.into_iter().chain(backwards).collect()
}

/// A letter in lower case, as one character.
fn fold(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

#[cfg(test)]
#[path = "password_strength_tests.rs"]
mod tests;
