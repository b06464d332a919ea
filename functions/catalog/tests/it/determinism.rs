//! Two runs with the same seed and the same requests are the same run, also when
//! replies of DynamoDB get lost.

use std::collections::BTreeMap;

use catalog::domain::HOLD_PERIOD;
use kernel::OrderId;
use serde_json::{Value, json};
use testkit::{LostReplies, status::OK};
use uuid::Uuid;

use crate::fixture::TestCatalog;

/// Runs every function that writes; returns every item of the table.
async fn run(seed: u64, losses: &LostReplies) -> BTreeMap<String, Value> {
    let table = TestCatalog::empty_table().await.seeded(seed);
    let catalog = TestCatalog::on(table.losing(losses).await).await;
    let category = catalog.category("Lamps", None).await;
    let lamp = json!({ "name": "Lamp", "stock": 5, "categoryId": category });
    let lamp = catalog.product_of(lamp).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal().with_header("Idempotency-Key", "a");
    client.patch(&path, &json!({ "quantity": 1 }), OK).await;
    let [sold, released, expired] = [1, 2, 3].map(|n| OrderId::from(Uuid::from_u128(n)));
    for order_id in [sold, released, expired] {
        catalog.reserve(order_id, &[(lamp, 1)]).await;
    }
    catalog.settle(&[catalog.authorized(sold)]).await;
    catalog.settle(&[catalog.cancelled(released)]).await;
    catalog.advance(HOLD_PERIOD);
    assert_eq!(catalog.expire().await, 1);
    let items = catalog.table.items().await.into_iter().map(|item| {
        let item: Value = serde_dynamo::from_item(item).unwrap();
        (format!("{} {}", item["pk"], item["sk"]), item)
    });
    items.collect()
}

#[tokio::test]
async fn the_same_seed_leaves_the_same_items() {
    let none = LostReplies::default();
    let first = run(7, &none).await;
    assert_eq!(first, run(7, &none).await);
    assert_ne!(first, run(8, &none).await);
}

#[tokio::test]
async fn a_lost_reply_changes_nothing() {
    let none = LostReplies::default();
    let expected = run(7, &none).await;
    for first in 0..2 {
        let losses = LostReplies::every(2, first);
        assert_eq!(expected, run(7, &losses).await);
        assert_eq!(losses.writes(), none.writes());
        assert!(losses.lost() >= 4, "{losses:?}");
    }
}
