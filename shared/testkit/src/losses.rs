//! Replies that get lost: the write happens, and whoever made it hears that the
//! service failed, and makes it again.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::{
    config::{ConfigBag, Intercept, interceptors::BeforeDeserializationInterceptorContextMut},
    error::BoxError,
};
use aws_smithy_runtime_api::{
    client::{orchestrator::Metadata, runtime_components::RuntimeComponents},
    http::Response,
};
use aws_smithy_types::body::SdkBody;

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

/// Counts writes, and loses the reply of one of them.
#[derive(Clone, Debug, Default)]
pub struct Losses(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    writes: usize,
    lose: Option<usize>,
}

impl Losses {
    /// Loses the reply of the `nth` write from now on, the first being 0.
    pub fn lose(nth: usize) -> Self {
        let state = State {
            writes: 0,
            lose: Some(nth),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many writes were answered so far, repetitions included.
    pub fn writes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).writes
    }

    /// Whether the next reply is the one to lose.
    fn is_next(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = state.lose == Some(state.writes);
        state.writes += 1;
        lost
    }
}

impl Intercept for Losses {
    fn name(&self) -> &'static str {
        "losses"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        if WRITES.contains(&operation) && self.is_next() {
            *context.response_mut() = Response::new(500.try_into()?, SdkBody::from(FAILED));
        }
        Ok(())
    }
}
