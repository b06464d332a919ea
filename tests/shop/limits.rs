//! The limit on requests from one address, as the template sets it.

use local::Shop;
use serde_json::json;

use crate::{process::default_options, support::client_at};

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
