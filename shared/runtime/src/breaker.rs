//! A circuit breaker: after failures in a row, a service that does not answer
//! is left alone for a while, and its callers get their error at once.
//!
//! Failures in a row and no rate over a time: a process in Lambda makes one
//! call after the other, and those that run into their timeout are so few in
//! any window that a rate would never mean much.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::{SignedDuration, Timestamp};

use crate::{Clock, metrics::BREAKER_OPEN};

/// Calls in a row that fail before the breaker opens.
const FAILURES_MAX: u32 = 5;
/// How long an open breaker rejects calls before it lets one try.
const RESET: SignedDuration = SignedDuration::from_secs(30);

/// The breaker of one service; its clones are the same breaker.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    service: &'static str,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls go through; so many in a row have failed.
    Closed { failures: u32 },
    /// Calls are rejected until then.
    Open { until: Timestamp },
    /// Calls go through, and the first to end decides.
    HalfOpen,
}

impl Breaker {
    pub(crate) fn new(service: &'static str, clock: Clock) -> Self {
        BREAKER_OPEN.set(&[service], 0.0);
        Self {
            service,
            clock,
            state: Arc::new(Mutex::new(State::Closed { failures: 0 })),
        }
    }

    /// Whether a call may be made now.
    pub(crate) fn permits_call(&self) -> bool {
        self.change(|state, now| match state {
            State::Open { until } if until <= now => State::HalfOpen,
            state => state,
        })
    }

    /// A call was answered.
    pub(crate) fn succeeded(&self) {
        self.change(|state, _| match state {
            // A call from before it opened says nothing about now.
            State::Open { until } => State::Open { until },
            State::Closed { .. } | State::HalfOpen => State::Closed { failures: 0 },
        });
    }

    /// A call failed.
    pub(crate) fn failed(&self) {
        self.change(|state, now| {
            let reset_at = now.saturating_add(RESET).unwrap_or(Timestamp::MAX);
            match state {
                State::Closed { failures } if failures + 1 < FAILURES_MAX => State::Closed {
                    failures: failures + 1,
                },
                State::Closed { .. } | State::HalfOpen => State::Open { until: reset_at },
                State::Open { until } => State::Open { until },
            }
        });
    }

    /// Changes the state, and reports it with every call: a gauge that is set
    /// only when it changes would have no data for an alarm to end on. Gives
    /// whether calls go through.
    fn change(&self, next: impl FnOnce(State, Timestamp) -> State) -> bool {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *state;
        *state = next(before, now);
        let name = |state| match state {
            State::Closed { .. } => "closed",
            State::Open { .. } => "open",
            State::HalfOpen => "half_open",
        };
        let (service, breaker) = (self.service, name(*state));
        if breaker != name(before) {
            match *state {
                State::Closed { .. } => tracing::debug!(service, breaker, "circuit breaker"),
                State::Open { .. } | State::HalfOpen => {
                    tracing::warn!(service, breaker, "circuit breaker");
                }
            }
        }
        // Half open counts as open until a call has succeeded.
        let open = !matches!(*state, State::Closed { .. });
        BREAKER_OPEN.set(&[service], if open { 1.0 } else { 0.0 });
        !matches!(*state, State::Open { .. })
    }
}
