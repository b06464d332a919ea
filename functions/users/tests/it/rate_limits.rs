//! How many requests an IP address may send to the public endpoints of accounts.

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Client, Reply, status::*};

use crate::fixture::{PASSWORD, TestUsers};

const PATH: &str = "/api/auth/refresh";

async fn send(client: &Client, expected: StatusCode) -> Reply {
    let body = json!({"refreshToken": "nonsense"});
    client.post(PATH, &body, expected).await
}

fn number(reply: &Reply, name: &str) -> i64 {
    let text = reply.header(name);
    text.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[tokio::test]
async fn an_ip_address_may_send_a_hundred_requests_in_fifteen_minutes() {
    let users = TestUsers::new().await;
    let client = users.client();
    for sent in 1..=100 {
        let reply = send(&client, UNAUTHORIZED).await;
        assert_eq!(number(&reply, "ratelimit-limit"), 100);
        assert_eq!(number(&reply, "ratelimit-remaining"), 100 - sent);
        assert_eq!(reply.header("ratelimit-policy"), Some("100;w=900"));
    }
    let rejected = send(&client, TOO_MANY_REQUESTS).await;
    assert_eq!(rejected.body["code"], "too_many_requests");
    assert_eq!(number(&rejected, "ratelimit-remaining"), 0);
    let wait = number(&rejected, "retry-after");
    assert!((900..=909).contains(&wait), "{wait}");
    // The functions share the limit. Another address has its own, but a header
    // from the client does not make one.
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let path = "/api/auth/login";
    client.post(path, &body, TOO_MANY_REQUESTS).await;
    let spoofed = client.with_header("x-forwarded-for", "198.51.100.1");
    send(&spoofed, TOO_MANY_REQUESTS).await;
    send(&client.from_ip("198.51.100.1"), UNAUTHORIZED).await;

    users.advance(SignedDuration::from_secs(wait));
    send(&client, UNAUTHORIZED).await;
    users.advance(SignedDuration::from_hours(1));
    let reply = send(&client, UNAUTHORIZED).await;
    assert_eq!(number(&reply, "ratelimit-remaining"), 99);
}

#[tokio::test]
async fn concurrent_requests_are_all_counted() {
    let users = TestUsers::new().await;
    let body = json!({"refreshToken": "nonsense"}).to_string();
    let mut replies = Vec::new();
    for _ in 0..10 {
        let requests = (0..13).map(|_| {
            let body = Some(body.clone());
            users.client().exchange(http::Method::POST, PATH, body)
        });
        replies.extend(join_all(requests).await);
    }
    let rejected = replies
        .iter()
        .filter(|reply| reply.status == TOO_MANY_REQUESTS);
    assert_eq!(rejected.count(), 30);
    let stored: Vec<Value> = users.table.items_of("LIMIT#auth#", "LIMIT").await;
    assert_eq!((stored.len(), &stored[0]["hits"]), (1, &json!(100)));
    assert!(!stored[0].to_string().contains("203.0.113.7"), "{stored:?}");
}

#[tokio::test]
async fn a_request_over_the_limit_reads_and_hashes_nothing() {
    let mut users = TestUsers::new().await;
    for _ in 0..100 {
        send(&users.client(), UNAUTHORIZED).await;
    }
    let (calls, client) = users.recorded("log-in").await;
    let path = "/api/auth/login";
    for body in ["{", "{}", r#"{"email":"ada@example.com","password":"x"}"#] {
        let body = Some(body.to_owned());
        client
            .send(http::Method::POST, path, body, TOO_MANY_REQUESTS)
            .await;
        assert_eq!(calls.take(), ["UpdateItem"]);
    }
}
