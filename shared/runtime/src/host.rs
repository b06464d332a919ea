//! What a function takes from the machine that it runs on: the time, new ids,
//! random bytes, and the way to AWS.
//!
//! They ride in the [`crate::Environment`], so that nothing else decides what
//! a function does: two runs with the same host and the same input are the
//! same run. `clippy.toml` refuses every other source of them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_types::sdk_config::SharedHttpClient;
use contracts::Stamp;
use kernel::{Cause, Timestamp};
use uuid::Uuid;

/// Bits of a UUIDv7 below its timestamp (RFC 9562, section 5.7).
const UUID_TIMESTAMP_SHIFT: u32 = 80;
const UUID_VERSION_7: u128 = 0x7 << 76;
const UUID_VARIANT: u128 = 0b10 << 62;
/// The random bits of a UUIDv7: 12 beside the version, 62 beside the variant.
const UUID_RANDOM_BITS: u32 = 74;
const UUID_LOW_BITS: u32 = 62;

/// The machine that a function runs on.
#[derive(Clone, Debug)]
pub struct Host {
    clock: Clock,
    random: Random,
    ids: Ids,
    transport: Option<SharedHttpClient>,
}

impl Host {
    /// A host with these sources; ids are made from both.
    pub fn new(clock: Clock, random: Random) -> Self {
        Self {
            ids: Ids::new(clock.clone(), random.clone()),
            clock,
            random,
            transport: None,
        }
    }

    /// The same host, whose AWS clients send their requests through `transport`
    /// instead of a socket: a simulated AWS.
    #[must_use]
    pub fn with_transport(self, transport: SharedHttpClient) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    /// What AWS clients send their requests through; `None` for the network.
    pub fn transport(&self) -> Option<&SharedHttpClient> {
        self.transport.as_ref()
    }

    /// The real machine.
    pub fn system() -> Self {
        Self::new(Clock::system(), Random::system())
    }

    /// The time now, to the millisecond, so that it survives every store and
    /// every JSON unchanged.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock, for what outlives a call.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The source of random bytes.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// A new id: a UUIDv7 (RFC 9562), so that ids sort by the time they were
    /// made, also those of one millisecond.
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        self.ids.generate().into()
    }

    /// The stamp of a new event.
    pub fn stamp(&self, time: Timestamp, cause: &Cause) -> Stamp {
        Stamp {
            id: self.new_id(),
            time,
            cause: cause.clone(),
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::system()
    }
}

/// Where a function takes the time from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that shows what `now` gives, cut to milliseconds.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// The time now, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let millisecond = (self.0)().as_millisecond();
        Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where a function takes random bytes from: keys, tokens, ids and jitter.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

/// Fills bytes with random ones.
type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Random {
    /// A source that fills bytes with what `fill` gives.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// The operating system's generator, fit for keys and tokens.
    ///
    /// Making a key panics if the system has no randomness, which fails the
    /// invocation. Linux does not fail this call once it has booted
    /// (getrandom(2)).
    #[expect(
        clippy::disallowed_methods,
        clippy::expect_used,
        reason = "the one place that asks the system; nothing can continue without it"
    )]
    pub fn system() -> Self {
        Self::new(|bytes| getrandom::fill(bytes).expect("the system's random generator"))
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A random (version 4) UUID, for tokens that need no order.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// Full jitter: a random wait of up to `most`.
    pub fn jitter(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(u64::from_le_bytes(self.bytes()) % most + 1)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// Makes ids that never go back, even when the clock does or stands still:
/// then the random part is incremented (RFC 9562, section 6.2, method 2).
#[derive(Clone, Debug)]
struct Ids {
    clock: Clock,
    random: Random,
    last: Arc<Mutex<(u64, u128)>>,
}

impl Ids {
    fn new(clock: Clock, random: Random) -> Self {
        Self {
            clock,
            random,
            last: Arc::default(),
        }
    }

    fn generate(&self) -> Uuid {
        let millisecond = u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if millisecond > last.0 {
            // The highest bit stays free, to leave room for increments.
            let random = u128::from_le_bytes(self.random.bytes()) >> (129 - UUID_RANDOM_BITS);
            (millisecond, random)
        } else {
            let step = u128::from(u32::from_le_bytes(self.random.bytes())) + 1;
            (last.0, last.1 + step)
        };
        let (millisecond, random) = *last;
        let (high, low) = (random >> UUID_LOW_BITS, random & ((1 << UUID_LOW_BITS) - 1));
        Uuid::from_u128(
            (u128::from(millisecond) << UUID_TIMESTAMP_SHIFT)
                | UUID_VERSION_7
                | (high << 64)
                | UUID_VARIANT
                | low,
        )
    }
}

/// Measures how long something takes. Tokio's clock, because a simulation can
/// pause it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The whole milliseconds since the start, as a number that JSON has.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(random: Random) -> Host {
        Host::new(Clock::new(|| Timestamp::UNIX_EPOCH), random)
    }

    #[test]
    fn ids_are_valid_and_sort_by_the_time_they_were_made() {
        let host = Host::system();
        let ids: Vec<Uuid> = (0..1_000).map(|_| host.new_id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        for id in ids {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
    }

    #[test]
    fn ids_sort_while_the_clock_stands_still_whatever_the_random_bytes_are() {
        for byte in [0, 255] {
            let host = host(Random::new(move |bytes| bytes.fill(byte)));
            let ids: Vec<Uuid> = (0..1_000).map(|_| host.new_id()).collect();
            assert!(ids.is_sorted_by(|one, next| one < next), "{byte}");
            assert!(ids.iter().all(|id| id.get_version_num() == 7), "{byte}");
        }
    }

    #[test]
    fn an_id_shows_its_time_and_does_not_go_back_with_the_clock() {
        let seconds = Arc::new(Mutex::new([100, 50, 101].into_iter()));
        let clock = Clock::new(move || {
            let next = seconds.lock().unwrap().next().unwrap();
            Timestamp::from_second(next).unwrap()
        });
        let host = Host::new(clock, Random::system());
        let ids: [Uuid; 3] = std::array::from_fn(|_| host.new_id());
        assert!(ids.is_sorted_by(|one, next| one < next));
        let second = |id: Uuid| id.get_timestamp().unwrap().to_unix().0;
        assert_eq!(ids.map(second), [100, 100, 101]);
        assert!(
            ids.iter()
                .all(|id| id.get_variant() == uuid::Variant::RFC4122)
        );
    }

    #[test]
    fn the_same_sources_make_the_same_ids() {
        let ids = || {
            let host = host(Random::new(|bytes| bytes.fill(7)));
            (0..10).map(|_| host.new_id()).collect::<Vec<Uuid>>()
        };
        assert_eq!(ids(), ids());
    }

    #[test]
    fn jitter_is_never_zero_nor_over_its_bound() {
        let most = Duration::from_millis(10);
        for byte in [0, 1, 127, 255] {
            let wait = Random::new(move |bytes| bytes.fill(byte)).jitter(most);
            assert!(wait > Duration::ZERO && wait <= most, "{byte}: {wait:?}");
        }
    }
}
