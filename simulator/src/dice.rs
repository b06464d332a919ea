//! Chance, all of it from the seed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use runtime::Random;

/// A source of chance for one purpose. Each purpose has its own, so that one more draw
/// for one does not change what the others draw.
#[derive(Debug)]
pub struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    /// The dice of a seed for a purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed =
            fastrand::Rng::with_seed(seed ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self(Mutex::new(mixed.fork()))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    pub fn happens(&self, per_mille: u32) -> bool {
        self.with(|rng| rng.u32(0..1000) < per_mille)
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.with(|rng| rng.u64(0..bound.max(1)))
    }

    /// An index into a list of this length.
    pub fn index(&self, length: usize) -> usize {
        self.with(|rng| rng.usize(0..length.max(1)))
    }

    /// A duration up to `most`, mostly short.
    pub fn delay(&self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        let bound = if self.happens(900) {
            micros / 20
        } else {
            micros
        };
        Duration::from_micros(self.below(bound))
    }

    /// Random bytes for functions: ids, keys and jitter.
    pub fn random(seed: u64, purpose: u64) -> Random {
        let dice = Self::new(seed, purpose);
        Random::new(move |bytes| dice.with(|rng| rng.fill(bytes)))
    }
}
