//! The sample events in `events/`: each parses, and succeeds where it needs
//! nothing to be there before.

use std::path::Path;

use kernel::{Currency, Money, ProductId};
use runtime::{Context, Function, LambdaEvent};
use serde_json::{Value, value::RawValue};
use testkit::{StubReply, StubServer};

use crate::shop::Shop;

async fn run(shop: &Shop, function: Function) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../events/{}.json", function.name));
    let sample = std::fs::read_to_string(path).unwrap();
    let payload: Box<RawValue> = serde_json::from_str(&sample).unwrap();
    let handler = shop.table.start(&function).await;
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
        .set("TOPIC_ARN", "arn:aws:sns:eu-central-1:000000000000:orders");
    let product: ProductId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    shop.catalog
        .stock_as(product, Money::new(1_999, Currency::USD).unwrap(), 9);
    for function in orders::functions() {
        let name = function.name;
        let reply = run(&shop, function).await;
        match name {
            "place-order" => assert_eq!(reply["statusCode"], 201, "{reply}"),
            "list-orders" => assert_eq!(reply["statusCode"], 200, "{reply}"),
            // They name an order that is not there.
            "get-order" | "get-order-history" => assert_eq!(reply["statusCode"], 404, "{reply}"),
            "advance-orders" => assert_eq!(reply["batchItemFailures"], Value::Array(vec![])),
            // Of somebody who never ordered.
            "export-orders" => assert_eq!(reply["orders"], Value::Array(vec![])),
            "anonymise-orders" => assert_eq!(reply["batchItemFailures"], Value::Array(vec![])),
            // It reads and tries to publish; the peer refuses.
            "relay-order-events" => {
                assert_eq!(
                    reply["batchItemFailures"][0]["itemIdentifier"], "111",
                    "{reply}"
                );
            }
            name => panic!("{name} has no expectation"),
        }
    }
}
