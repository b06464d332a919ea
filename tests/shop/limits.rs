//! Limits as the template sets them.

use local::Shop;
use runtime::Environment;
use serde_json::json;
use shop_client::{Client, Reply, new_key, order_of};

use crate::{
    process::default_options,
    support::{client_at, internal_key, register_at, verify},
};

/// The key of an edge, with the marker that tools/scan_log.py looks for in logs.
const EDGE_KEY: &str = "canary-of-the-edge";
/// Its SHA-256.
const EDGE_KEY_HASH: &str = "82ea5d9bd40b54b86572026f2565953882d8b94bce0a391abfddff280bfd53c3";

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
    // The socket's address counts, whatever headers say.
    let forwarded = client.with("x-forwarded-for", "198.51.100.1");
    let spoofed = client
        .with("true-client-ip", "198.51.100.1")
        .with("x-edge-key", EDGE_KEY);
    for client in [&client, &forwarded, &spoofed] {
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

async fn send_nonsense(client: &Client, expected: u16) -> Reply {
    let token = json!({ "refreshToken": "nonsense" });
    client.post("/api/auth/refresh", &token, expected).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_an_edge_the_address_that_it_gives_is_limited_and_nobody_gets_past_it() {
    let mut options = default_options();
    options.environment = Environment::default()
        .with("EDGE_KEY_HASHES", EDGE_KEY_HASH)
        .with("AUTH_REQUESTS_PER_IP", "3");
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = client_at(shop.url());

    let edge = client.with("x-edge-key", EDGE_KEY);
    let first = edge.with("true-client-ip", "198.51.100.1");
    for _ in 0..3 {
        send_nonsense(&first, 401).await;
    }
    send_nonsense(&first, 429).await;
    let forwarded = first.with("x-forwarded-for", "198.51.100.2");
    send_nonsense(&forwarded, 429).await;
    send_nonsense(&edge.with("true-client-ip", "198.51.100.2"), 401).await;

    let past = client.with("true-client-ip", "198.51.100.3");
    for client in [&past, &past.with("x-edge-key", "canary-of-another-edge")] {
        for path in [
            "/api/products",
            "/health",
            "/nothing",
            "/.well-known/jwks.json",
        ] {
            let refused = client.get(path, 403).await;
            assert_eq!(refused.body["code"], "edge_required", "{path}");
        }
        let internal = client.as_internal(internal_key());
        let refused = internal.get("/api/users", 403).await;
        assert_eq!(refused.body["code"], "edge_required");
    }
    let internal = first.as_internal(internal_key());
    internal.get("/api/users", 200).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_placed_leaves_its_goods_to_the_next_buyer() {
    let shop = Shop::start(default_options())
        .await
        .expect("the shop starts");
    let client = client_at(shop.url());
    let internal = client.as_internal(shop.internal_key().expect("a key"));
    let dollars = internal.create_product("10.00", 4).await;
    let dear = internal.create_product("900000000.00", 4).await;
    let mut euros = internal.get(&format!("/api/products/{dollars}"), 200).await;
    let euros = euros.body["data"].take();
    let euros = json!({
        "name": "Lamp", "price": 10, "currency": "EUR", "stock": 4,
        "categoryId": euros["categoryId"],
    });
    let euros = internal.post("/api/products", &euros, 201).await.id();
    let person = register_at(&client).await;
    verify(&person).await.expect("the shop's mail can be read");
    let buyer = person.client.with_key(&new_key());
    let mixed = order_of(&[(&dollars, 4), (&euros, 4)], "pm_card_visa");
    let too_much = order_of(&[(&dear, 4)], "pm_card_visa");
    for (order, field) in [(mixed, "/items/1/productId"), (too_much, "/items")] {
        let refused = buyer.post("/api/orders", &order, 422).await;
        assert_eq!(refused.fields(), [field]);
    }
    for product in [&dollars, &euros, &dear] {
        assert_eq!(internal.stock_of(product).await, 4);
    }
    let next = register_at(&client).await;
    verify(&next).await.expect("the shop's mail can be read");
    let order = order_of(&[(&dollars, 4)], "pm_card_visa");
    let next = next.client.with_key(&new_key());
    next.post("/api/orders", &order, 201).await;
    shop.stop().await;
}
