//! Limits as the template sets them.

use local::Shop;
use serde_json::json;
use shop_client::{new_key, order_of};

use crate::{
    process::default_options,
    support::{client_at, register_at, verify},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_101st_request_from_an_address_in_15_minutes_is_rejected() {
    let shop = Shop::start(default_options())
        .await
        .expect("the shop starts");
    let client = client_at(shop.url());
    for _ in 0..50 {
        let token = json!({ "refreshToken": "nonsense" });
        client.post("/api/auth/refresh", &token, 401).await;
        let token = json!({ "token": "x" });
        client.post("/api/auth/verify", &token, 401).await;
    }
    let spoofed = client.with("x-forwarded-for", "198.51.100.1");
    for client in [&client, &spoofed] {
        let email = "canary@example.com";
        let rejected = client.log_in(email, "wrong canary battery", 429).await;
        assert_eq!(rejected.body["code"], "too_many_requests");
        for header in [
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ] {
            rejected.header(header).parse::<u32>().expect(header);
        }
    }
    // Other routes are not limited.
    client.get("/api/products", 200).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_account_orders_a_quarter_of_a_shelf_and_all_of_it_once_verified() {
    let shop = Shop::start(default_options())
        .await
        .expect("the shop starts");
    let client = client_at(shop.url());
    let internal = client.as_internal(shop.internal_key().expect("a key"));
    let lamp = internal.create_product("3.00", 8).await;
    let person = register_at(&client).await;
    let buyer = person.client.with_key(&new_key());
    let whole = order_of(&[(&lamp, 8)], "pm_card_visa");
    let refused = buyer.post("/api/orders", &whole, 409).await;
    assert_eq!(refused.body["code"], "unverified_limit");
    assert_eq!(refused.fields(), ["/items/0/quantity"]);
    assert_eq!(internal.stock_of(&lamp).await, 8, "nothing is reserved");

    let stranger = register_at(&client).await;
    let part = order_of(&[(&lamp, 2)], "pm_card_visa");
    let stranger = stranger.client.with_key(&new_key());
    stranger.post("/api/orders", &part, 201).await;
    assert_eq!(internal.stock_of(&lamp).await, 6);

    verify(&person).await.expect("the shop's mail can be read");
    let rest = order_of(&[(&lamp, 6)], "pm_card_visa");
    buyer.post("/api/orders", &rest, 201).await;
    assert_eq!(internal.stock_of(&lamp).await, 0);
    shop.stop().await;
}
