//! The process is killed while orders are in flight and started again: every
//! order that a customer retries settles, and the stock adds up.
//!
//! Only for local shops: this starts its own and kills it.

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::json;
use shop_client::{Client, Method, eventually, new_key, order_of};

use crate::{
    process::{INTERNAL_KEY, new_directory, start},
    support::{client_at, is_remote, register_at},
};

/// Orders in flight when the process is killed.
const ORDERS: usize = 8;
/// When the process is killed, so that the orders are interrupted at different
/// steps: while they are being placed, paid for, and confirmed.
const MOMENTS: [Moment; 4] = [
    Moment::Answered(0),
    Moment::Answered(ORDERS / 2),
    Moment::Answered(ORDERS),
    Moment::FirstConfirmed,
];

enum Moment {
    /// This many posts have been answered.
    Answered(usize),
    /// All posts have been answered, and the first order has been confirmed.
    FirstConfirmed,
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_flight_settle_after_a_kill_and_a_restart() {
    if is_remote() {
        return;
    }
    let data = new_directory();
    let mut process = start(&data).await;
    let internal = client_at(&process.url).as_internal(INTERNAL_KEY);
    let product = internal.create_product("5.00", 1_000).await;
    let person = register_at(&client_at(&process.url)).await;
    let token = &person.tokens["token"];
    let order = order_of(&[(&product, 1)], "pm_card_visa").to_string();
    let post = |buyer: &Client, key: &str| {
        let buyer = buyer.with_key(key);
        buyer.request(Method::POST, "/api/orders", Some(order.clone()))
    };
    let mut placed = 0;

    for moment in MOMENTS {
        let keys: Vec<String> = (0..ORDERS).map(|_| new_key()).collect();
        let buyer = client_at(&process.url).bearer(token);
        let posts = keys.iter().map(|key| tokio::spawn(post(&buyer, key)));
        let mut posts: FuturesUnordered<_> = posts.collect();
        let answers = match moment {
            Moment::Answered(answers) => answers,
            Moment::FirstConfirmed => ORDERS,
        };
        let mut first = None;
        for _ in 0..answers {
            let reply = posts.next().await.unwrap().unwrap().unwrap();
            assert_eq!(reply.status, 201, "{}", reply.text);
            first.get_or_insert(reply.id());
        }
        if let (Moment::FirstConfirmed, Some(first)) = (moment, first) {
            buyer.settled_order(&first).await;
        }
        // SIGKILL: nothing is closed, and nothing is flushed.
        process.child.kill().await.unwrap();
        while posts.next().await.is_some() {}
        process = start(&data).await;

        // Whether they were answered or not, each key now gives one order.
        let buyer = client_at(&process.url).bearer(token);
        for key in &keys {
            let reply = eventually("the order of a key", || async {
                let reply = post(&buyer, key).await.unwrap();
                (reply.status == 201).then_some(reply)
            })
            .await;
            let order = buyer.settled_order(&reply.id()).await;
            assert_eq!(order["status"], "confirmed");
            placed += 1;
        }
        let orders = buyer.get("/api/orders?limit=100", 200).await;
        assert_eq!(orders.items().len(), placed, "one order a key");
    }
    let path = format!("/api/products/{product}");
    let product = client_at(&process.url).get(&path, 200).await;
    assert_eq!(product.data()["stock"], json!(1_000 - placed));
    process.child.kill().await.unwrap();
    let _ = std::fs::remove_dir_all(&data);
}
