//! `GET /api/orders/{id}/history`.

use contracts::events::PaymentDeclined;
use kernel::{Role, UserId};
use serde_json::json;
use testkit::{new_id, status::*};

use crate::fixture::TestOrders;

#[tokio::test]
async fn the_history_has_actor_time_and_cause_of_each_event() {
    let orders = TestOrders::new().await;
    let user: UserId = new_id();
    let order = orders.place(user).await.order;
    let declined = orders.event(&PaymentDeclined {
        payment_id: order.payment_id,
        order_id: order.order_id,
        reason: "card_declined".into(),
    });
    orders.advance(&[&declined]).await;

    let path = format!("/api/orders/{}/history", order.order_id);
    let reply = orders.client_of(user).get(&path, OK).await;
    let entries = reply.body["data"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["type"], "order.placed");
    assert_eq!(entries[0]["actor"], format!("user:{user}"));
    assert_eq!(entries[0]["version"], 1);
    assert_eq!(
        entries[1],
        json!({
            "type": "order.payment_failed", "at": "2026-01-05T12:00:00Z", "version": 2,
            "correlationId": "test-correlation", "causationId": declined.id,
            "actor": "function:advance-orders",
            "data": {
                "orderId": order.order_id, "userId": user, "paymentId": order.payment_id,
                "total": {"amountMinor": 2000, "currency": "USD"}, "reason": "card_declined"
            }
        })
    );

    let client = orders.client();
    assert_eq!(entries[0]["clientRequestId"], json!(null));
    let other = client.as_user(new_id(), Role::Admin);
    other.get(&path, NOT_FOUND).await;
    client.get(&path, UNAUTHORIZED).await;
    orders
        .client_of(user)
        .get("/api/orders/x/history", NOT_FOUND)
        .await;
}
