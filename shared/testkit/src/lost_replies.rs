//! Lost replies: the write happens, but its caller gets an error of the
//! service, and repeats it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::dynamo_proxy::DynamoCall;

const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactWriteItems",
    "BatchWriteItem",
];

/// Counts writes, and loses the replies to the first attempts of some of them.
#[derive(Clone, Debug, Default)]
pub struct LostReplies(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    writes: usize,
    lost: usize,
    /// The period and the first of the lost replies.
    lose: Option<(usize, usize)>,
    /// Writes that contain this text do not count.
    except: Option<&'static str>,
}

impl LostReplies {
    /// Loses the reply to every `every`th write, `first` (from 0) the first.
    pub fn every(every: usize, first: usize) -> Self {
        let state = State {
            lose: Some((every, first)),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same, but writes that contain a text do not count.
    #[must_use]
    pub fn except(self, text: &'static str) -> Self {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).except = Some(text);
        self
    }

    /// How many writes there were, each counted once however often it was attempted.
    pub fn writes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).writes
    }

    /// How many replies were lost.
    pub fn lost(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    /// Counts a call if it is a write's first attempt; whether its reply gets lost.
    pub(crate) fn loses(&self, call: &DynamoCall) -> bool {
        if !call.is_first_attempt || !WRITES.contains(&call.operation.as_str()) {
            return false;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.except.is_some_and(|text| call.body.contains(text)) {
            return false;
        }
        let write = state.writes;
        let lost = state
            .lose
            .is_some_and(|(every, first)| write % every == first);
        state.writes += 1;
        state.lost += usize::from(lost);
        lost
    }
}
