use contracts::events::StockAdjusted;
use futures_util::future::join_all;
use kernel::{ProductId, Role};
use serde_json::json;
use testkit::status::*;

use crate::fixture::TestCatalog;

#[tokio::test]
async fn a_stock_is_set_increased_and_decreased() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let view = |previous: u32, stock: u32| json!({ "productId": lamp, "previousStock": previous, "stock": stock });
    let put = client.put(&path, &json!({ "quantity": 9 }), OK).await;
    assert_eq!(put.body["data"], view(5, 9));
    let patch = client.patch(&path, &json!({ "quantity": 4 }), OK).await;
    assert_eq!(patch.body["data"], view(9, 5));
    for (operation, after) in [("increase", 8), ("decrease", 5), ("set", 3)] {
        let body = json!({ "quantity": 3, "operation": operation });
        let reply = client.put(&path, &body, OK).await;
        assert_eq!(reply.body["data"]["stock"], after, "{operation}");
    }
    assert_eq!(catalog.stock(lamp).await, 3);
    let events = catalog.table.events().await;
    let adjusted: Vec<_> = events.iter().filter(|e| e.is::<StockAdjusted>()).collect();
    assert_eq!(adjusted.len(), 5);
    let last: StockAdjusted = adjusted[4].read().unwrap();
    assert_eq!((last.previous_stock, last.stock), (5, 3));
    assert_eq!(adjusted[4].actor, "internal");
}

#[tokio::test]
async fn a_stock_stays_between_zero_and_the_maximum() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let body = json!({ "quantity": 6 });
    let conflict = client.patch(&path, &body, CONFLICT).await;
    assert_eq!(conflict.body["code"], "insufficient_stock");
    assert_eq!(conflict.invalid_fields(), ["/quantity"]);
    let message = conflict.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains('5'), "{message}");
    let body = json!({ "quantity": 999_996, "operation": "increase" });
    let invalid = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/quantity"]);
    assert_eq!(catalog.stock(lamp).await, 5);
    let events = catalog.table.event_types().await;
    assert!(!events.contains(&"stock.adjusted".to_owned()));
}

#[tokio::test]
async fn invalid_fields_are_reported_and_unknown_products_are_404() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    for quantity in [
        json!(-1),
        json!(1.5),
        json!(1_000_001),
        json!("1"),
        json!(null),
    ] {
        let body = json!({ "quantity": quantity });
        let invalid = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(invalid.invalid_fields(), ["/quantity"], "{body}");
    }
    let body = json!({ "quantity": 1, "operation": "double", "odd": 1 });
    let invalid = client.patch(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/operation", "/odd"]);
    let unknown: ProductId = testkit::new_id();
    for id in [unknown.to_string(), "x".into()] {
        let path = format!("/api/products/{id}/stock");
        let body = json!({ "quantity": 1 });
        client.put(&path, &body, NOT_FOUND).await;
    }
}

#[tokio::test]
async fn only_admins_and_internal_clients_may_adjust_stock() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.client();
    let body = json!({ "quantity": 1 });
    client.put(&path, &body, UNAUTHORIZED).await;
    for (role, status) in [(Role::User, FORBIDDEN), (Role::Admin, OK)] {
        let client = client.as_user(testkit::new_id(), role);
        client.patch(&path, &body, status).await;
    }
    assert_eq!(catalog.stock(lamp).await, 4);
}

#[tokio::test]
async fn concurrent_adjustments_and_reservations_are_all_counted() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(100).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let (increase, decrease) = (
        json!({ "quantity": 3, "operation": "increase" }),
        json!({ "quantity": 2 }),
    );
    let adjustments = join_all((0..8).map(|n| {
        let body = if n % 2 == 0 { &increase } else { &decrease };
        client.patch(&path, body, OK)
    }));
    let line = [(lamp, 1)];
    let orders = join_all((0..10).map(|_| catalog.hold(&line)));
    let (replies, _) = futures_util::future::join(adjustments, orders).await;
    assert_eq!(catalog.stock(lamp).await, 100 + 4 * 3 - 4 * 2 - 10);
    for reply in replies {
        let number = |name: &str| reply.body["data"][name].as_i64().unwrap();
        let change = number("stock") - number("previousStock");
        assert!([3, -2].contains(&change), "{}", reply.body);
    }
}
