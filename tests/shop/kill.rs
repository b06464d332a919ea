//! The process is killed in the middle of orders, and started again: every
//! order that was answered settles, and the stock adds up.
//!
//! Only for the laptop shop: these start their own, and kill it.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::{
    process::{INTERNAL_KEY, new_folder, start},
    support::{Client, elsewhere, eventually, new_key, new_product, order_of, register_at},
};

/// Orders that are under way when the process is killed.
const ORDERS: usize = 8;
/// How long after the first post the process is killed, in milliseconds: each
/// meets the orders at another step.
const KILLED_AFTER_MS: [u64; 4] = [3, 25, 80, 200];

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_orders_it_settles_them_after_a_start() {
    if elsewhere() {
        return;
    }
    let data = new_folder();
    let mut process = start(&data).await;
    let client = |url: &str| Client::at(url).with("x-internal-key", INTERNAL_KEY);
    let product = new_product(&client(&process.url), "5.00", 1_000).await;
    let person = register_at(&Client::at(&process.url)).await;
    let token = &person.tokens["token"];
    let mut placed = 0;

    for delay_ms in KILLED_AFTER_MS {
        let keys: Vec<String> = (0..ORDERS).map(|_| new_key()).collect();
        let order = order_of(&[(&product, 1)], "pm_card_visa").to_string();
        let buyer = Client::at(&process.url).bearer(token);
        let posts = keys.iter().map(|key| {
            buyer.with("idempotency-key", key).request(
                Method::POST,
                "/api/orders",
                Some(order.clone()),
            )
        });
        let posts = tokio::spawn(join_all(posts.collect::<Vec<_>>()));
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        // SIGKILL: nothing is closed, nothing is flushed.
        process.child.kill().await.unwrap();
        let _ = posts.await.unwrap();
        process = start(&data).await;

        // Whatever was answered or not, the same keys now give one order each.
        let buyer = Client::at(&process.url).bearer(token);
        for key in &keys {
            let keyed = buyer.with("idempotency-key", key);
            let reply = eventually("the order of a key", || async {
                let reply = keyed
                    .request(Method::POST, "/api/orders", Some(order.clone()))
                    .await
                    .unwrap();
                (reply.status == 201).then_some(reply)
            })
            .await;
            let path = format!("/api/orders/{}", reply.data()["id"].as_str().unwrap());
            eventually("the order is confirmed", || async {
                let order = buyer.get(&path, 200).await;
                (order.data()["status"] == "confirmed").then_some(())
            })
            .await;
            placed += 1;
        }
        let orders = all_orders(&buyer).await;
        assert_eq!(orders, placed, "one order a key");
    }
    let path = format!("/api/products/{product}");
    let product = Client::at(&process.url).get(&path, 200).await;
    assert_eq!(product.data()["stock"], json!(1_000 - placed));
    process.child.kill().await.unwrap();
    let _ = std::fs::remove_dir_all(&data);
}

async fn all_orders(buyer: &Client) -> usize {
    buyer
        .get("/api/orders?limit=100", 200)
        .await
        .data()
        .as_array()
        .unwrap()
        .len()
}
