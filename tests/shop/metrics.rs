//! `/metrics` after a real order. Only a laptop has it, and only a shop that
//! nobody else uses has numbers that can be told beforehand.

use std::{collections::BTreeMap, path::Path};

use local::{Options, Shop, Source};

use crate::support::{
    Client, elsewhere, eventually, internal_key, new_key, new_product, order_of, register_at,
    settled,
};

async fn scrape(client: &Client) -> BTreeMap<String, f64> {
    let reply = client.get("/metrics", 200).await;
    assert!(
        reply
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    testkit::prometheus::read(&reply.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_in_the_metrics_once() {
    if elsewhere() {
        return;
    }
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let options = Options::new(Source::File(template), local::registry::functions());
    let shop = Shop::start(options).await.expect("the shop starts");
    let anybody = Client::at(shop.url());
    let before = scrape(&anybody).await;
    assert!(
        !before.contains_key("emporium_orders_placed_total"),
        "it is new"
    );

    let internal = anybody.with("x-internal-key", internal_key());
    let lamp = new_product(&internal, "49.95", 10).await;
    let person = register_at(&anybody).await;
    for (card, ends) in [
        ("pm_card_visa", "confirmed"),
        ("pm_card_chargeDeclined", "payment_failed"),
    ] {
        let buyer = person.client.with("idempotency-key", &new_key());
        let order = order_of(&[(&lamp, 2)], card);
        let placed = buyer.post("/api/orders", &order, 201).await;
        buyer.post("/api/orders", &order, 201).await;
        let id = placed.data()["id"].as_str().unwrap();
        assert_eq!(settled(&person.client, id).await["status"], ends);
    }

    // The step is written a moment before the invocation ends that counts it.
    let metrics = eventually("both orders are counted", async || {
        let metrics = scrape(&anybody).await;
        let failed = r#"emporium_orders_failed_total{reason="payment_declined"}"#;
        metrics.contains_key(failed).then_some(metrics)
    })
    .await;
    let number = |sample: &str| metrics.get(sample).copied();
    for (sample, wanted) in [
        ("emporium_orders_placed_total", 2.0),
        ("emporium_orders_confirmed_total", 1.0),
        (
            r#"emporium_orders_failed_total{reason="payment_declined"}"#,
            1.0,
        ),
        (
            r#"emporium_revenue_currency_units_sum{currency="USD"}"#,
            99.9,
        ),
        (
            r#"emporium_revenue_currency_units_count{currency="USD"}"#,
            1.0,
        ),
        (
            r#"emporium_revenue_currency_units_bucket{currency="USD",le="50"}"#,
            0.0,
        ),
        (
            r#"emporium_revenue_currency_units_bucket{currency="USD",le="100"}"#,
            1.0,
        ),
        (r#"emporium_breaker_open{dependency="catalog"}"#, 0.0),
        (
            r#"emporium_function_invocations_total{function="place-order"}"#,
            4.0,
        ),
        (
            r#"emporium_function_errors_total{function="place-order"}"#,
            0.0,
        ),
        (
            r#"emporium_dead_letter_queue_messages{queue="AdvanceOrdersDeadLetterQueue"}"#,
            0.0,
        ),
    ] {
        assert_eq!(number(sample), Some(wanted), "{sample}");
    }
    let requests = number(r#"emporium_request_latency_seconds_count{service="orders"}"#);
    assert!(
        requests.is_some_and(|requests| requests >= 4.0),
        "{requests:?}"
    );
    let slow = number(r#"emporium_request_latency_seconds_bucket{service="orders",le="10"}"#);
    assert_eq!(slow, requests, "seconds, not milliseconds");
    shop.stop().await;
}
