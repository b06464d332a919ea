//! Lost replies: the write happens, but its caller gets an error of the
//! service, and repeats it.

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

/// The SDK's names of DynamoDB's writes.
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactWriteItems",
    "BatchWriteItem",
];
/// DynamoDB's reply when the outcome is unknown.
const FAILED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"lost"}"#;

/// The header with which the SDK numbers its attempts.
const ATTEMPT_HEADER: &str = "amz-sdk-request";
const FIRST_ATTEMPT: &str = "attempt=1;";

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

    /// Whether a write with this body counts.
    fn counts(&self, body: &[u8]) -> bool {
        let except = self.0.lock().unwrap_or_else(PoisonError::into_inner).except;
        except.is_none_or(|text| !String::from_utf8_lossy(body).contains(text))
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

/// Whether a request counts and is sent for the first time.
#[derive(Debug)]
struct FirstAttempt(bool);

impl Storable for FirstAttempt {
    type Storer = StoreReplace<Self>;
}

impl Intercept for LostReplies {
    fn name(&self) -> &'static str {
        "losses"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempt = context
            .request()
            .headers()
            .get(ATTEMPT_HEADER)
            .unwrap_or_default();
        let body = context.request().body().bytes().unwrap_or_default();
        let first = FirstAttempt(attempt.starts_with(FIRST_ATTEMPT) && self.counts(body));
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
        let first = config.load::<FirstAttempt>().is_some_and(|first| first.0);
        if WRITES.contains(&operation) && first && self.is_next() {
            *context.response_mut() = Response::new(500.try_into()?, SdkBody::from(FAILED));
        }
        Ok(())
    }
}
