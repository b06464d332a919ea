//! The sample events in `events/`: each parses, and succeeds where it needs
//! nothing to be there before.

use std::path::Path;

use runtime::{Context, Function, LambdaEvent};
use serde_json::{Value, json, value::RawValue};
use testkit::{StubReply, StubServer};

use crate::shop::Shop;

async fn run(shop: &Shop, function: &Function) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let sample = std::fs::read_to_string(folder.join(format!("{}.json", function.name))).unwrap();
    let payload: Box<RawValue> = serde_json::from_str(&sample).unwrap();
    let handler = shop.table.start(function).await;
    let reply = handler(LambdaEvent::new(payload, Context::default()))
        .await
        .unwrap();
    serde_json::from_str(reply.get()).unwrap()
}

#[tokio::test]
async fn every_function_has_a_sample_that_it_takes() {
    let mut shop = Shop::open().await;
    let sns = StubServer::start(|_, _| StubReply::Reply(500, String::new())).await;
    shop.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    shop.table
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:catalog");
    for function in catalog::functions() {
        let reply = run(&shop, &function).await;
        match function.name {
            "create-category" => assert_eq!(reply["statusCode"], 201, "{reply}"),
            "list-categories" | "list-products" => assert_eq!(reply["statusCode"], 200, "{reply}"),
            // They name a category or a product that is not there.
            "create-product" => assert_eq!(reply["statusCode"], 422, "{reply}"),
            "get-product" | "adjust-stock" => assert_eq!(reply["statusCode"], 404, "{reply}"),
            "reserve-stock" => assert_eq!(reply["outcome"], "refused", "{reply}"),
            "settle-reservations" => assert_eq!(reply["batchItemFailures"], json!([])),
            "expire-reservations" => assert_eq!(reply["expired"], 0),
            // It reads and tries to publish; the peer refuses.
            "relay-catalog-events" => {
                assert_eq!(
                    reply["batchItemFailures"][0]["itemIdentifier"], "111",
                    "{reply}"
                );
            }
            name => panic!("{name} has no expectation"),
        }
    }
}
