//! `PUT` and `PATCH /api/products/{id}/stock`.

use catalog::api::adjust_stock;
use contracts::events::StockAdjusted;
use futures_util::future::join_all;
use kernel::{ProductId, UserId};
use kernel::Role;
use serde_json::json;
use testkit::status::*;

use crate::shop::Shop;

#[tokio::test]
async fn a_stock_is_set_raised_and_lowered_exactly() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = shop.client(&adjust_stock::function()).await.as_internal();
    let shown = |before: u32, after: u32| json!({ "productId": lamp, "previousStock": before, "stock": after });
    let put = client.put(&path, &json!({ "quantity": 9 }), OK).await;
    assert_eq!(put.body["data"], shown(5, 9));
    let patch = client.patch(&path, &json!({ "quantity": 4 }), OK).await;
    assert_eq!(patch.body["data"], shown(9, 5));
    for (operation, after) in [("increase", 8), ("decrease", 5), ("set", 3)] {
        let body = json!({ "quantity": 3, "operation": operation });
        let reply = client.put(&path, &body, OK).await;
        assert_eq!(reply.body["data"]["stock"], after, "{operation}");
    }
    assert_eq!(shop.stock(lamp).await, 3);
    let events = shop.table.events().await;
    let said: Vec<_> = events
        .iter()
        .filter(|event| event.is::<StockAdjusted>())
        .collect();
    assert_eq!(said.len(), 5);
    let last: StockAdjusted = said[4].read().unwrap();
    assert_eq!((last.previous_stock, last.stock), (5, 3));
    assert_eq!(said[4].actor, "internal");
}

#[tokio::test]
async fn a_stock_never_falls_below_nothing_nor_rises_past_the_most() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = shop.client(&adjust_stock::function()).await.as_internal();
    let refused = client
        .patch(&path, &json!({ "quantity": 6 }), CONFLICT)
        .await;
    assert_eq!(refused.body["code"], "insufficient_stock");
    assert_eq!(refused.invalid_fields(), ["/quantity"]);
    assert!(
        refused.body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains('5')
    );
    let body = json!({ "quantity": 999_996, "operation": "increase" });
    let refused = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused.invalid_fields(), ["/quantity"]);
    assert_eq!(shop.stock(lamp).await, 5);
    assert!(
        !shop
            .table
            .event_types()
            .await
            .contains(&"stock.adjusted".to_owned())
    );
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = shop.client(&adjust_stock::function()).await.as_internal();
    for quantity in [
        json!(-1),
        json!(1.5),
        json!(1_000_001),
        json!("1"),
        json!(null),
    ] {
        let body = json!({ "quantity": quantity });
        let refused = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused.invalid_fields(), ["/quantity"], "{body}");
    }
    let body = json!({ "quantity": 1, "operation": "double", "odd": 1 });
    let refused = client.patch(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused.invalid_fields(), ["/operation", "/odd"]);
    let nowhere = format!("/api/products/{}/stock", testkit::new_id::<ProductId>());
    client
        .put(&nowhere, &json!({ "quantity": 1 }), NOT_FOUND)
        .await;
    client
        .put(
            "/api/products/x/stock",
            &json!({ "quantity": 1 }),
            NOT_FOUND,
        )
        .await;
}

#[tokio::test]
async fn only_admins_and_machines_may() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = shop.client(&adjust_stock::function()).await;
    let body = json!({ "quantity": 1 });
    client.put(&path, &body, UNAUTHORIZED).await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::User)
        .patch(&path, &body, FORBIDDEN)
        .await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::Admin)
        .patch(&path, &body, OK)
        .await;
    assert_eq!(shop.stock(lamp).await, 4);
}

#[tokio::test]
async fn changes_at_once_and_orders_between_them_are_all_counted() {
    let shop = Shop::open().await;
    let lamp = shop.product(100).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = shop.client(&adjust_stock::function()).await.as_internal();
    let (more, less) = (
        json!({ "quantity": 3, "operation": "increase" }),
        json!({ "quantity": 2 }),
    );
    let changes = join_all((0..8).map(|n| {
        let body = if n % 2 == 0 { &more } else { &less };
        client.patch(&path, body, OK)
    }));
    let line = [(lamp, 1)];
    let orders = join_all((0..10).map(|_| shop.hold(&line)));
    let (replies, _) = futures_util::future::join(changes, orders).await;
    assert_eq!(shop.stock(lamp).await, 100 + 4 * 3 - 4 * 2 - 10);
    for reply in replies {
        let number = |name: &str| reply.body["data"][name].as_i64().unwrap();
        let step = number("stock") - number("previousStock");
        assert!([3, -2].contains(&step), "{}", reply.body);
    }
}
