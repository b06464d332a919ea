//! `GET /api/orders/{id}/history`.

use contracts::events::PaymentDeclined;
use kernel::UserId;
use orders::api::get_order_history;
use kernel::Role;
use serde_json::json;
use testkit::{Client, deliver, status::*};

use crate::shop::Shop;

#[tokio::test]
async fn the_history_says_who_when_and_why() {
    let shop = Shop::open().await;
    let user = testkit::new_id::<UserId>();
    let order = shop.order(user).await.order;
    let declined = shop.says(&PaymentDeclined {
        payment_id: order.payment_id,
        order_id: order.order_id,
        reason: "card_declined".into(),
    });
    assert!(
        deliver(
            &shop.advance_orders().await,
            std::slice::from_ref(&declined)
        )
        .await
        .is_empty()
    );

    let client = Client::new(shop.table.start(&get_order_history::function()).await);
    let path = format!("/api/orders/{}/history", order.order_id);
    let reply = client.as_user(user, Role::User).get(&path, OK).await;
    let entries = reply.body["data"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["type"], "order.placed");
    assert_eq!(entries[0]["actor"], format!("user:{user}"));
    assert_eq!(entries[0]["version"], 1);
    assert_eq!(
        entries[1],
        json!({
            "type": "order.payment_failed", "at": "2026-01-05T12:00:00Z", "version": 2,
            "correlationId": "chain", "causationId": declined.id,
            "actor": "function:advance-orders",
            "data": {
                "orderId": order.order_id, "userId": user, "paymentId": order.payment_id,
                "total": {"amountMinor": 2000, "currency": "USD"}, "reason": "card_declined"
            }
        })
    );

    client
        .as_user(testkit::new_id::<UserId>(), Role::Admin)
        .get(&path, NOT_FOUND)
        .await;
    client.get(&path, UNAUTHORIZED).await;
    client
        .as_user(user, Role::User)
        .get("/api/orders/x/history", NOT_FOUND)
        .await;
}
