//! Two runs with the same seed and the same requests are the same run.

use std::collections::BTreeMap;

use contracts::events::{PaymentAuthorized, PaymentCaptured, StockCommitted};
use kernel::{Currency, Money, ProductId, UserId};
use serde_json::Value;
use testkit::status::CREATED;
use uuid::Uuid;

use crate::fixture::{PATH, TestOrders, order_body, order_id};

/// What a run leaves: the reply, and every item of the table.
type Outcome = (Value, BTreeMap<String, Value>);

async fn run(seed: u64) -> Outcome {
    let orders = TestOrders::seeded(seed).await;
    let user = UserId::from(Uuid::from_u128(1));
    let product = ProductId::from(Uuid::from_u128(2));
    let price = Money::new(1_999, Currency::USD).unwrap();
    orders.catalog.add_product_as(product, price, 9);
    let client = orders.customer(user, "key");
    let reply = client
        .post(PATH, &order_body(&[(product, 2)]), CREATED)
        .await;
    let order_id = order_id(&reply);
    let (payment_id, amount) = {
        let order = orders.find(order_id).await.order;
        (order.payment_id, order.total)
    };
    for event in [
        orders.event(&PaymentAuthorized {
            payment_id,
            order_id,
            amount,
        }),
        orders.event(&StockCommitted { order_id }),
        orders.event(&PaymentCaptured {
            payment_id,
            order_id,
            amount,
        }),
    ] {
        orders.advance(&[&event]).await;
    }
    let items = orders.table.items().await.into_iter().map(|item| {
        let item: Value = serde_dynamo::from_item(item).unwrap();
        (format!("{} {}", item["pk"], item["sk"]), item)
    });
    (reply.body, items.collect())
}

#[tokio::test]
async fn the_same_seed_makes_the_same_order() {
    let (first, second) = (run(7).await, run(7).await);
    assert_eq!(first, second);
    assert!(first.1.len() > 4, "{first:?}");
}

#[tokio::test]
async fn another_seed_makes_other_ids() {
    let ((first, _), (second, _)) = (run(7).await, run(8).await);
    assert_ne!(first["data"]["id"], second["data"]["id"]);
    assert_ne!(first["meta"]["requestId"], second["meta"]["requestId"]);
}
