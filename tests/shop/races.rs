//! Concurrent requests: nothing is oversold, and nothing happens twice.

use std::collections::HashSet;

use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use serde_json::json;
use shop_client::{Client, Method, eventually, new_key, order_of};

use crate::support::{PASSWORD, anonymous, internal, is_remote, register};

/// Concurrent posts with one idempotency key.
const SAME_KEY_POSTS: usize = 16;
/// Refresh tokens that are each used twice at once. There are fewer for a
/// remote shop, where each request starts or wakes a process.
const REFRESH_RACES: usize = 500;
const REFRESH_RACES_REMOTE: usize = 24;
const CONCURRENT_RACES: usize = 8;
/// Orders of one unit each, and the units in stock.
const ORDERS: usize = 200;
const UNITS: u32 = 50;
/// Accounts that place the orders: registering costs a password hash, so there
/// are fewer of them than orders.
const ACCOUNTS: usize = 10;

#[tokio::test]
async fn sixteen_concurrent_posts_with_one_key_create_one_order() {
    let (internal, person) = (internal().await, register().await);
    let lamp = internal.create_product("3.00", 100).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa").to_string();
    let buyer = person.client.with_key(&new_key());
    let posts = (0..SAME_KEY_POSTS)
        .map(|_| buyer.request(Method::POST, "/api/orders", Some(order.clone())));
    let replies: Vec<_> = join_all(posts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();

    let mut ids = HashSet::new();
    for reply in &replies {
        match reply.status.as_u16() {
            201 => drop(ids.insert(reply.data()["id"].to_string())),
            409 => assert_eq!(reply.body["code"], "idempotency_in_progress"),
            other => panic!("{other}: {}", reply.body),
        }
    }
    assert_eq!(ids.len(), 1, "one key created several orders");
    let first = replies
        .iter()
        .filter(|reply| reply.header("idempotency-replayed").is_empty());
    assert_eq!(first.filter(|reply| reply.status == 201).count(), 1);
    let orders = person.client.get("/api/orders", 200).await;
    assert_eq!(orders.items().len(), 1);
    assert_eq!(internal.stock_of(&lamp).await, 99);
}

/// One of two concurrent uses succeeds, and then the session ends for both: a
/// token that is used twice has been copied (RFC 9700, 4.14.2).
#[tokio::test]
async fn a_refresh_token_used_twice_at_once_succeeds_once_and_ends_the_session() {
    let races = match is_remote() {
        true => REFRESH_RACES_REMOTE,
        false => REFRESH_RACES,
    };
    let client = &anonymous().await;
    let people = &join_all((0..CONCURRENT_RACES).map(|_| register())).await;
    let race = |index: usize| async move {
        let person = &people[index % CONCURRENT_RACES];
        let session = client.log_in(&person.email, PASSWORD, 200).await;
        let body = json!({ "refreshToken": session.data()["refreshToken"] }).to_string();
        let refresh = || client.request(Method::POST, "/api/auth/refresh", Some(body.clone()));
        let (one, other) = tokio::join!(refresh(), refresh());
        let (one, other) = (one.unwrap(), other.unwrap());
        let (won, lost) = if one.status == 200 {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!(won.status, 200, "{}", won.text);
        assert_eq!(lost.status, 401, "{}", lost.text);
        assert_eq!(lost.body["code"], "invalid_refresh_token");
        let me = client.bearer(&won.data()["token"]);
        let refused = me.get("/api/auth/me", 401).await;
        assert_eq!(refused.body["code"], "session_ended");
        let again = json!({ "refreshToken": won.data()["refreshToken"] });
        client.post("/api/auth/refresh", &again, 401).await;
    };
    let races = stream::iter(0..races)
        .map(race)
        .buffer_unordered(CONCURRENT_RACES);
    races.collect::<()>().await;
}

#[tokio::test]
async fn two_hundred_orders_for_fifty_units_sell_exactly_fifty() {
    let internal = internal().await;
    let lamp = internal.create_product("9.99", UNITS).await;
    let people = join_all((0..ACCOUNTS).map(|_| register())).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa").to_string();
    let posts = (0..ORDERS).map(|index| {
        let buyer = people[index % ACCOUNTS].client.with_key(&new_key());
        let order = order.clone();
        async move { (index, until_answered(&buyer, &order).await) }
    });
    let (mut placed, mut refused) = (Vec::new(), 0);
    for (index, (status, body)) in join_all(posts).await {
        match status {
            201 => placed.push((index, body["data"]["id"].as_str().unwrap().to_owned())),
            409 => {
                assert_eq!(body["code"], "insufficient_stock", "{body}");
                refused += 1;
            }
            other => panic!("{other}: {body}"),
        }
    }
    assert_eq!(
        (placed.len(), refused),
        (UNITS as usize, ORDERS - UNITS as usize)
    );
    assert_eq!(internal.stock_of(&lamp).await, 0);
    // One after another, because fifty that poll at once would be a load themselves.
    for (index, id) in &placed {
        let order = people[index % ACCOUNTS].client.settled_order(id).await;
        assert_eq!(order["status"], "confirmed", "{order}");
    }
    assert_eq!(internal.stock_of(&lamp).await, 0);
}

/// Posts an order like a well-behaved client: it retries with the same key while
/// the shop says that it is busy.
async fn until_answered(buyer: &Client, order: &str) -> (u16, serde_json::Value) {
    eventually("an answer", || async {
        let reply = buyer
            .request(Method::POST, "/api/orders", Some(order.to_owned()))
            .await
            .unwrap();
        let busy = reply.status == 503 || reply.body["code"] == "idempotency_in_progress";
        if busy {
            assert!(!reply.header("retry-after").is_empty(), "{}", reply.body);
            return None;
        }
        Some((reply.status.as_u16(), reply.body))
    })
    .await
}
