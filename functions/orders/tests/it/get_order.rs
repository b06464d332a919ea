//! `GET /api/orders/{id}`.

use kernel::{OrderId, Role, UserId};
use serde_json::json;
use testkit::{new_id, status::*};

use crate::fixture::{TestOrders, address};

#[tokio::test]
async fn an_order_is_shown_to_its_owner_only() {
    let orders = TestOrders::new().await;
    let user: UserId = new_id();
    let order = orders.place(user).await.order;
    let path = format!("/api/orders/{}", order.order_id);
    let reply = orders.client_of(user).get(&path, OK).await;
    assert_eq!(
        reply.body["data"],
        json!({
            "id": order.order_id, "status": "pending", "paymentId": order.payment_id,
            "items": [{
                "productId": order.lines[0].product_id, "name": "Lamp", "quantity": 2,
                "unitPrice": 10.0, "totalPrice": 20.0
            }],
            "totalAmount": 20.0, "currency": "USD", "shippingAddress": address(),
            "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
        })
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let client = orders.client();
    for role in [Role::User, Role::Moderator, Role::Admin] {
        let other = client.as_user(new_id(), role);
        let reply = other.get(&path, NOT_FOUND).await;
        assert_eq!(reply.body["code"], "not_found");
    }
    client.get(&path, UNAUTHORIZED).await;
    client.as_internal().get(&path, FORBIDDEN).await;
}

#[tokio::test]
async fn an_unknown_or_malformed_id_is_not_found() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    let unknown = new_id::<OrderId>().to_string();
    for id in [
        &*unknown,
        "1",
        "ORDER",
        "00000000000000000000000000000000",
        "%00",
    ] {
        client.get(&format!("/api/orders/{id}"), NOT_FOUND).await;
    }
}
