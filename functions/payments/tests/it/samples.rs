//! The sample events in `events/`: each parses, and succeeds where it needs
//! nothing to be there before.

use std::path::Path;

use runtime::{Context, Function, LambdaEvent};
use serde_json::{Value, value::RawValue};
use testkit::{StubReply, StubServer};

use crate::till::Till;

async fn run(till: &Till, function: Function) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../events/{}.json", function.name));
    let sample = std::fs::read_to_string(path).unwrap();
    let payload: Box<RawValue> = serde_json::from_str(&sample).unwrap();
    let handler = till.table.start(&function).await;
    let reply = handler(LambdaEvent::new(payload, Context::default()))
        .await
        .unwrap();
    serde_json::from_str(reply.get()).unwrap()
}

#[tokio::test]
async fn every_function_has_a_sample_that_it_takes() {
    let mut till = Till::open().await;
    let sns = StubServer::start(|_, _| StubReply::Reply(500, String::new())).await;
    till.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    till.table.set(
        "TOPIC_ARN",
        "arn:aws:sns:eu-central-1:000000000000:payments",
    );
    for function in payments::functions() {
        let name = function.name;
        let reply = run(&till, function).await;
        match name {
            // It names a payment that is not there yet.
            "get-payment" => assert_eq!(reply["statusCode"], 404, "{reply}"),
            "export-payments" => assert_eq!(reply["payments"], Value::Array(vec![])),
            "process-payments" => {
                assert_eq!(reply["batchItemFailures"], Value::Array(vec![]));
                assert_eq!(till.table.event_types().await, ["payment.authorized"]);
            }
            // It reads and tries to publish; the peer refuses.
            "relay-payment-events" => {
                assert_eq!(
                    reply["batchItemFailures"][0]["itemIdentifier"], "111",
                    "{reply}"
                );
            }
            name => panic!("{name} has no expectation"),
        }
    }
}

#[tokio::test]
async fn a_provider_that_there_is_not_stops_the_start() {
    let mut till = Till::open().await;
    till.table.set("PAYMENT_PROVIDER", "strype");
    let function = payments::events::process_payments::function();
    let error = function
        .start(till.table.environment())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("PAYMENT_PROVIDER"), "{error}");
}
