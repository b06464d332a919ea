//! The limit of requests from one address, with the number of the template.

use std::path::Path;

use local::{Options, Shop, Source};
use serde_json::json;

use crate::support::Client;

#[tokio::test(flavor = "multi_thread")]
async fn the_hundred_and_first_request_in_a_quarter_of_an_hour_is_refused() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let options = Options::new(Source::File(template), local::registry::functions());
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = Client::at(shop.url());
    let body = json!({ "email": "canary@example.com", "password": "wrong canary battery" });
    let token = json!({ "refreshToken": "nonsense" });
    for _ in 0..50 {
        client.post("/api/auth/refresh", &token, 401).await;
        client
            .post("/api/auth/verify", &json!({ "token": "x" }), 401)
            .await;
    }
    let spoofed = client.with("x-forwarded-for", "198.51.100.1");
    for client in [&client, &spoofed] {
        let refused = client.post("/api/auth/login", &body, 429).await;
        assert_eq!(refused.body["code"], "too_many_requests");
        for header in [
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ] {
            refused.header(header).parse::<u32>().expect(header);
        }
    }
    // What is not about accounts goes on.
    client.get("/api/products", 200).await;
    shop.stop().await;
}
