//! Many at once: nobody gets what is not there, and nothing happens twice.

use std::collections::HashSet;

use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Client, PASSWORD, elsewhere, eventually, new_key, new_product, order_of, register, settled,
    stock_of,
};

/// Posts with one key, at once.
const SAME_KEY_POSTS: usize = 16;
/// Refresh tokens that are each used twice at once, eight at a time; fewer where
/// each request starts or wakes a process.
const REFRESH_RACES: usize = 500;
const REFRESH_RACES_ELSEWHERE: usize = 24;
const RACES_AT_ONCE: usize = 8;
/// People who want one unit each, and how many units there are.
const BUYERS: usize = 200;
const UNITS: u32 = 50;
/// Buyers who have accounts: opening one costs a password hash, and a buyer
/// may order more than once.
const ACCOUNTS: usize = 10;

#[tokio::test]
async fn sixteen_posts_with_one_key_are_one_order() {
    let (internal, person) = (Client::internal().await, register().await);
    let lamp = new_product(&internal, "3.00", 100).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa").to_string();
    let buyer = person.client.with("idempotency-key", &new_key());
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
    assert_eq!(ids.len(), 1, "one key, more than one order");
    let first = replies
        .iter()
        .filter(|reply| reply.header("idempotency-replayed").is_empty());
    assert_eq!(first.filter(|reply| reply.status == 201).count(), 1);
    let orders = person.client.get("/api/orders", 200).await;
    assert_eq!(orders.data().as_array().unwrap().len(), 1);
    assert_eq!(stock_of(&lamp).await, 99);
}

/// Of two uses at once one wins, and then the session is over, for both: a token
/// that is used twice has been copied (RFC 9700, 4.14.2).
#[tokio::test]
async fn a_refresh_token_that_is_used_twice_at_once_gives_one_pair_and_ends_the_session() {
    let races = match elsewhere() {
        true => REFRESH_RACES_ELSEWHERE,
        false => REFRESH_RACES,
    };
    let client = &Client::anonymous().await;
    let people = &join_all((0..RACES_AT_ONCE).map(|_| register())).await;
    let race = |index: usize| async move {
        let person = &people[index % RACES_AT_ONCE];
        let body = json!({ "email": person.email, "password": PASSWORD });
        let session = client.post("/api/auth/login", &body, 200).await;
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
        let said = me.get("/api/auth/me", 401).await;
        assert_eq!(said.body["code"], "session_ended");
        let again = json!({ "refreshToken": won.data()["refreshToken"] });
        client.post("/api/auth/refresh", &again, 401).await;
    };
    let races = stream::iter(0..races)
        .map(race)
        .buffer_unordered(RACES_AT_ONCE);
    races.collect::<()>().await;
}

#[tokio::test]
async fn two_hundred_buyers_of_fifty_units_get_exactly_fifty() {
    let internal = Client::internal().await;
    let lamp = new_product(&internal, "9.99", UNITS).await;
    let people = join_all((0..ACCOUNTS).map(|_| register())).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa").to_string();
    let posts = (0..BUYERS).map(|index| {
        let buyer = people[index % ACCOUNTS]
            .client
            .with("idempotency-key", &new_key());
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
        (UNITS as usize, BUYERS - UNITS as usize)
    );
    assert_eq!(stock_of(&lamp).await, 0);
    // One after the other: fifty that look at once would be the load themselves.
    for (index, id) in &placed {
        let order = settled(&people[index % ACCOUNTS].client, id).await;
        assert_eq!(order["status"], "confirmed", "{order}");
    }
    assert_eq!(stock_of(&lamp).await, 0);
}

/// Posts an order as a good client does: with the same key again when the
/// shop says that it is busy.
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
