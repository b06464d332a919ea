//! How many requests an IP address may send to the public endpoints of accounts, and
//! that whoever is signed in is not refused because of others at the address.

use futures_util::future::join_all;
use kernel::SignedDuration;
use runtime::Random;
use serde_json::{Value, json};
use testkit::{Client, Reply, new_id, status::*};
use users::credentials::tokens::RefreshToken;

use crate::fixture::{PASSWORD, Person, TestUsers};

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

#[tokio::test]
async fn whoever_is_signed_in_is_not_refused_because_of_others_at_the_address() {
    let users = TestUsers::new().await;
    let client = users.client();
    let ada = users.register("ada@example.com").await;
    let bob = users.register("bob@example.com").await;
    let link = users.mailed_token("user.registered").await;
    for _ in 0..200 {
        client
            .exchange(http::Method::POST, "/api/auth/login", None)
            .await;
    }
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    client
        .post("/api/auth/login", &body, TOO_MANY_REQUESTS)
        .await;

    // Invented tokens are limited, also those that could be ours.
    let body = |token: &str| json!({ "refreshToken": token });
    for _ in 0..20 {
        let invented = RefreshToken::generate(ada.id, new_id(), &Random::system());
        client
            .post(PATH, &body(&invented.reveal()), TOO_MANY_REQUESTS)
            .await;
        client
            .post(PATH, &body("nonsense"), TOO_MANY_REQUESTS)
            .await;
    }
    let verify = "/api/auth/verify";
    let token = |token: &str| json!({ "token": token });
    client.post(verify, &token("x"), TOO_MANY_REQUESTS).await;
    let verify_email = "/api/auth/verify-email";
    client
        .post(verify_email, &token("x"), TOO_MANY_REQUESTS)
        .await;

    let next = Person::of(&users.refresh(&ada.refresh, OK).await);
    client.post(verify, &token(&next.token), OK).await;
    users.verify_email_in_session(&bob, &link).await;
    users.log_out(&next, &body(&next.refresh)).await;
    // What has ended counts as invented, too.
    client
        .post(PATH, &body(&next.refresh), TOO_MANY_REQUESTS)
        .await;
}

#[tokio::test]
async fn a_session_may_refresh_thirty_times_in_fifteen_minutes() {
    let users = TestUsers::new().await;
    let mut ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    for sent in 1..=30 {
        let reply = users.refresh(&ada.refresh, OK).await;
        assert_eq!(number(&reply, "ratelimit-remaining"), 30 - sent);
        assert_eq!(reply.header("ratelimit-policy"), Some("30;w=900"));
        ada = Person::of(&reply);
    }
    // Wherever it is sent from.
    for ip in ["203.0.113.7", "198.51.100.1"] {
        let client = users.client().from_ip(ip);
        let body = json!({ "refreshToken": ada.refresh });
        let refused = client.post(PATH, &body, TOO_MANY_REQUESTS).await;
        assert_eq!(refused.body["code"], "too_many_requests");
        assert_eq!(number(&refused, "ratelimit-remaining"), 0);
        assert!((900..=930).contains(&number(&refused, "retry-after")));
    }
    users.refresh(&other.refresh, OK).await;
    assert_eq!(users.authorize(&ada.token).await, "user");
    // The refusals have not used up the token.
    users.advance(SignedDuration::from_mins(16));
    users.refresh(&ada.refresh, OK).await;
}

#[tokio::test]
async fn a_reused_token_ends_its_session_also_over_both_limits() {
    let users = TestUsers::new().await;
    let first = users.register("ada@example.com").await;
    let mut ada = Person::of(&users.refresh(&first.refresh, OK).await);
    for _ in 0..29 {
        ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    }
    users.refresh(&ada.refresh, TOO_MANY_REQUESTS).await;
    for _ in 0..100 {
        users
            .client()
            .exchange(
                http::Method::POST,
                PATH,
                Some(r#"{"refreshToken":""}"#.into()),
            )
            .await;
    }
    users.refresh(&first.refresh, UNAUTHORIZED).await;
    assert_eq!(users.authorize(&ada.token).await, "session_ended");
}

#[tokio::test]
async fn requests_without_an_address_are_limited_together() {
    let users = TestUsers::new().await;
    let nowhere = users.client().from_ip("");
    for _ in 0..100 {
        send(&nowhere, UNAUTHORIZED).await;
    }
    send(&nowhere, TOO_MANY_REQUESTS).await;
    send(&users.client(), UNAUTHORIZED).await;
}
