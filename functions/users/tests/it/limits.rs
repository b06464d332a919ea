//! How many requests one address of the network may send.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::{Client, Reply, status::*};

use crate::{
    calls::counted,
    shop::{MFA_SECRET, PASSWORD, Shop, versions},
};

async fn send(client: &Client, expected: StatusCode) -> Reply {
    let body = json!({"refreshToken": "nonsense"});
    client.post("/api/auth/refresh", &body, expected).await
}

fn number(reply: &Reply, name: &str) -> i64 {
    let text = reply.header(name);
    text.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[tokio::test]
async fn a_hundred_requests_in_a_quarter_of_an_hour_and_no_more() {
    let shop = Shop::open().await;
    for sent in 1..=100 {
        let reply = send(&shop.refresh, UNAUTHORIZED).await;
        assert_eq!(number(&reply, "ratelimit-limit"), 100);
        assert_eq!(number(&reply, "ratelimit-remaining"), 100 - sent);
        assert_eq!(reply.header("ratelimit-policy"), Some("100;w=900"));
    }
    let refused = send(&shop.refresh, TOO_MANY_REQUESTS).await;
    assert_eq!(refused.body["code"], "too_many_requests");
    assert_eq!(number(&refused, "ratelimit-remaining"), 0);
    let wait = number(&refused, "retry-after");
    assert!((900..=909).contains(&wait), "{wait}");
    // The other functions count the same requests; another address does not,
    // and what a client writes into a header is not its address.
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let path = "/api/auth/login";
    shop.log_in.post(path, &body, TOO_MANY_REQUESTS).await;
    let spoofed = shop.refresh.with_header("x-forwarded-for", "198.51.100.1");
    send(&spoofed, TOO_MANY_REQUESTS).await;
    send(&shop.refresh.from_ip("198.51.100.1"), UNAUTHORIZED).await;

    shop.clock.advance(SignedDuration::from_secs(wait));
    send(&shop.refresh, UNAUTHORIZED).await;
    shop.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(
        number(
            &send(&shop.refresh, UNAUTHORIZED).await,
            "ratelimit-remaining"
        ),
        99
    );
}

#[tokio::test]
async fn requests_at_once_are_all_counted() {
    let shop = Shop::open().await;
    let body = json!({"refreshToken": "nonsense"}).to_string();
    let mut replies = Vec::new();
    for _ in 0..10 {
        let requests = (0..13).map(|_| {
            let path = "/api/auth/refresh";
            let body = Some(body.clone());
            shop.refresh.exchange(http::Method::POST, path, body)
        });
        replies.extend(join_all(requests).await);
    }
    let refused = replies
        .iter()
        .filter(|reply| reply.status == TOO_MANY_REQUESTS);
    assert_eq!(refused.count(), 30);
    let kept: Vec<Value> = shop.table.items_of("LIMIT#auth#", "LIMIT").await;
    assert_eq!((kept.len(), &kept[0]["hits"]), (1, &json!(100)));
    assert!(!kept[0].to_string().contains("203.0.113.7"), "{kept:?}");
}

#[tokio::test]
async fn nothing_is_read_or_hashed_for_a_request_over_the_limit() {
    let shop = Shop::open().await;
    for _ in 0..100 {
        send(&shop.refresh, UNAUTHORIZED).await;
    }
    let (calls, table) = counted(&shop);
    let client = shop.another_log_in(table, versions(MFA_SECRET, None)).await;
    let path = "/api/auth/login";
    for body in ["{", "{}", r#"{"email":"ada@example.com","password":"x"}"#] {
        let body = Some(body.to_owned());
        client
            .send(http::Method::POST, path, body, TOO_MANY_REQUESTS)
            .await;
        assert_eq!(calls.take(), ["UpdateItem"]);
    }
}
