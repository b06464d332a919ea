//! `GET /api/orders/{id}`.

use kernel::{OrderId, UserId};
use orders::api::get_order;
use kernel::Role;
use serde_json::json;
use testkit::{Client, status::*};

use crate::shop::{Shop, address};

async fn client(shop: &Shop) -> Client {
    Client::new(shop.table.start(&get_order::function()).await)
}

#[tokio::test]
async fn an_order_is_shown_to_whom_it_belongs() {
    let shop = Shop::open().await;
    let user = testkit::new_id::<UserId>();
    let order = shop.order(user).await.order;
    let path = format!("/api/orders/{}", order.order_id);
    let client = client(&shop).await;
    let reply = client.as_user(user, Role::User).get(&path, OK).await;
    assert_eq!(
        reply.body["data"],
        json!({
            "id": order.order_id, "status": "pending", "paymentId": order.payment_id,
            "items": [{
                "productId": order.lines[0].product_id, "name": "a thing", "quantity": 2,
                "unitPrice": 10.0, "totalPrice": 20.0
            }],
            "totalAmount": 20.0, "currency": "USD", "shippingAddress": address(),
            "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
        })
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    for other in [Role::User, Role::Moderator, Role::Admin] {
        let reply = client
            .as_user(testkit::new_id::<UserId>(), other)
            .get(&path, NOT_FOUND)
            .await;
        assert_eq!(reply.body["code"], "not_found");
    }
    client.get(&path, UNAUTHORIZED).await;
    client.as_internal().get(&path, FORBIDDEN).await;
}

#[tokio::test]
async fn what_is_not_an_order_is_not_found() {
    let shop = Shop::open().await;
    let client = client(&shop).await.as_user(testkit::new_id::<UserId>(), Role::User);
    let missing = testkit::new_id::<OrderId>().to_string();
    for id in [
        &*missing,
        "1",
        "ORDER",
        "00000000000000000000000000000000",
        "%00",
    ] {
        client.get(&format!("/api/orders/{id}"), NOT_FOUND).await;
    }
}
