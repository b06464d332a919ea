//! What happened in a run, in order: the story that a failing seed prints, and a
//! fingerprint of it, by which two runs of one seed are compared.

use std::{
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

    /// Adds a line.
    pub fn tell(&self, time: Timestamp, line: fmt::Arguments<'_>) {
        let line = format!("{} {line}", time.strftime("%H:%M:%S%.3f"));
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.fingerprint.write(line.as_bytes());
        if inner.told {
            inner.lines.push(line);
        }
    }

    /// The lines, if they are kept.
    pub fn lines(&self) -> Vec<String> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lines.clone()
    }

    /// The same for two runs in which the same happened.
    pub fn fingerprint(&self) -> u64 {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.fingerprint.finish()
    }
}
