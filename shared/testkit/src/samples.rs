//! The sample invocations in `events/`, each with what it expects.

use std::path::Path;

use runtime::{Environment, Function};
use serde_json::Value;

use crate::invoke::invoke;

/// The member of a sample with what its reply has to contain. It is removed
/// before the function sees the sample: calls refuse unknown members.
const EXPECTED: &str = "expected";

/// Starts each function and runs its sample from `events/`. The reply has to
/// contain the members that the sample names under `expected`, such as
/// `{"statusCode": 201}`.
///
/// # Panics
/// When a function has no sample, or its reply is another.
pub async fn check_samples(functions: &[Function], environment: &Environment) {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    assert!(!functions.is_empty(), "no functions");
    for function in functions {
        let name = function.name;
        let text = std::fs::read_to_string(events.join(format!("{name}.json")));
        let text = text.unwrap_or_else(|error| panic!("the sample of {name}: {error}"));
        let mut sample: Value = serde_json::from_str(&text).expect("JSON");
        let expected = sample.as_object_mut().and_then(|s| s.remove(EXPECTED));
        let expected = expected.as_ref().and_then(Value::as_object);
        let expected = expected.filter(|expected| !expected.is_empty());
        let expected = expected.unwrap_or_else(|| {
            panic!(
                "events/{name}.json has no \"expected\": add what the reply has to contain, \
                 such as \"expected\": {{\"statusCode\": 404}}"
            )
        });
        let handler = function.start(environment.clone()).await;
        let handler = handler.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let reply = invoke(&handler, &sample).await;
        let reply = reply.unwrap_or_else(|error| panic!("{name} fails on its sample: {error}"));
        for (member, value) in expected {
            assert_eq!(&reply[member], value, "{name}: {reply}");
        }
    }
}
