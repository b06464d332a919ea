//! Replies that get lost: the write happens, and whoever made it hears that the
//! service failed, and makes it again.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept,
        interceptors::{
            BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
        },
    },
    error::BoxError,
};
use aws_smithy_runtime_api::{
    client::{orchestrator::Metadata, runtime_components::RuntimeComponents},
    http::Response,
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::{Storable, StoreReplace},
};

/// What the SDK calls the writes of DynamoDB.
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactWriteItems",
    "BatchWriteItem",
];
/// What DynamoDB says when it does not know itself.
const FAILED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"lost"}"#;

/// The header in which the SDK says which try this is.
const TRY: &str = "amz-sdk-request";
const FIRST_TRY: &str = "attempt=1;";

/// Counts writes, and loses the replies to the first tries of some of them.
#[derive(Clone, Debug, Default)]
pub struct Losses(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    writes: usize,
    lost: usize,
    /// Every how many, and from which on.
    lose: Option<(usize, usize)>,
    /// Writes that name this do not count.
    but: Option<&'static str>,
}

impl Losses {
    /// Loses the reply to every `every`th write, `first` (from 0) the first.
    pub fn every(every: usize, first: usize) -> Self {
        let state = State {
            lose: Some((every, first)),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The same, where writes that have a text in them do not count.
    #[must_use]
    pub fn but(self, text: &'static str) -> Self {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).but = Some(text);
        self
    }

    /// How many writes there were so far, each once however often it was tried.
    pub fn writes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).writes
    }

    /// How many replies were lost.
    pub fn lost(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost
    }

    /// Whether a write with this body counts.
    fn counts(&self, body: &[u8]) -> bool {
        let but = self.0.lock().unwrap_or_else(PoisonError::into_inner).but;
        but.is_none_or(|text| !String::from_utf8_lossy(body).contains(text))
    }

    /// Whether the reply to the next write gets lost.
    fn is_next(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.writes;
        let lost = state
            .lose
            .is_some_and(|(every, first)| next % every == first);
        state.writes += 1;
        state.lost += usize::from(lost);
        lost
    }
}

/// Whether a request counts, and is sent for the first time.
#[derive(Debug)]
struct FirstTry(bool);

impl Storable for FirstTry {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Losses {
    fn name(&self) -> &'static str {
        "losses"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let tried = context.request().headers().get(TRY).unwrap_or_default();
        let body = context.request().body().bytes().unwrap_or_default();
        let first = FirstTry(tried.starts_with(FIRST_TRY) && self.counts(body));
        config.interceptor_state().store_put(first);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        let first = config.load::<FirstTry>().is_some_and(|first| first.0);
        if WRITES.contains(&operation) && first && self.is_next() {
            *context.response_mut() = Response::new(500.try_into()?, SdkBody::from(FAILED));
        }
        Ok(())
    }
}
