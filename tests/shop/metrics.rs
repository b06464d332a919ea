//! `/metrics` after real orders. Only a local shop has them, and their values
//! are predictable only in a shop that nobody else uses.

use std::collections::BTreeMap;

use local::Shop;
use shop_client::{Client, eventually, new_key, order_of};

use crate::{
    process::default_options,
    support::{client_at, internal_key, is_remote, register_at},
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
async fn each_order_is_counted_once() {
    if is_remote() {
        return;
    }
    let shop = Shop::start(default_options())
        .await
        .expect("the shop starts");
    let client = client_at(shop.url());
    let before = scrape(&client).await;
    assert!(
        !before.contains_key("emporium_orders_placed_total"),
        "the shop is new"
    );

    let internal = client.as_internal(internal_key());
    let lamp = internal.create_product("49.95", 10).await;
    let person = register_at(&client).await;
    for (card, status) in [
        ("pm_card_visa", "confirmed"),
        ("pm_card_chargeDeclined", "payment_failed"),
    ] {
        let buyer = person.client.with_key(&new_key());
        let order = order_of(&[(&lamp, 2)], card);
        let placed = buyer.post("/api/orders", &order, 201).await;
        buyer.post("/api/orders", &order, 201).await;
        let settled = person.client.settled_order(&placed.id()).await;
        assert_eq!(settled["status"], status);
    }

    // The invocation that counts an order ends shortly after its status is written.
    let metrics = eventually("both orders are counted", async || {
        let metrics = scrape(&client).await;
        let failed = r#"emporium_orders_failed_total{reason="payment_declined"}"#;
        metrics.contains_key(failed).then_some(metrics)
    })
    .await;
    let value = |sample: &str| metrics.get(sample).copied();
    for (sample, expected) in [
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
        assert_eq!(value(sample), Some(expected), "{sample}");
    }
    let requests = value(r#"emporium_request_latency_seconds_count{service="orders"}"#);
    assert!(
        requests.is_some_and(|requests| requests >= 4.0),
        "{requests:?}"
    );
    let slow = value(r#"emporium_request_latency_seconds_bucket{service="orders",le="10"}"#);
    assert_eq!(slow, requests, "the latency is not in seconds");
    shop.stop().await;
}
