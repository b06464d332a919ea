//! `POST /api/auth/logout`.

use http::Method;
use serde_json::json;
use testkit::status::*;

use crate::fixture::{PASSWORD, Person, TestUsers};

const PATH: &str = "/api/auth/logout";

#[tokio::test]
async fn logging_out_invalidates_both_tokens_at_once() {
    let users = TestUsers::new().await;
    let (a, b, c) = (
        users.register("a@example.com").await,
        users.register("b@example.com").await,
        users.register("c@example.com").await,
    );
    let with_refresh_token = json!({"refreshToken": a.refresh}).to_string();
    for (person, body) in [
        (a, Some(with_refresh_token)),
        (b, Some("{}".to_owned())),
        (c, None),
    ] {
        assert_eq!(users.authorize(&person.token).await, "user");
        let client = users.client_of(&person);
        let reply = client.send(Method::POST, PATH, body, OK).await;
        assert_eq!(reply.body["success"], true);
        assert_eq!(users.authorize(&person.token).await, "session_ended");
        users.refresh(&person.refresh, UNAUTHORIZED).await;
    }
}

#[tokio::test]
async fn logging_out_is_idempotent() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body = json!({"refreshToken": ada.refresh});
    for _ in 0..2 {
        users.log_out(&ada, &body).await;
    }
}

#[tokio::test]
async fn the_session_of_a_valid_refresh_token_ends_too() {
    let users = TestUsers::new().await;
    let phone = users.register("ada@example.com").await;
    let laptop = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let tablet = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let secret = phone.refresh.split_once('.').unwrap().1;
    let forged = format!("{}.{secret}", laptop.session_id());
    let body = json!({ "refreshToken": forged });
    users.log_out(&phone, &body).await;
    assert_eq!(users.authorize(&laptop.token).await, "user");
    let body = json!({"refreshToken": laptop.refresh});
    users.log_out(&phone, &body).await;
    assert_eq!(users.authorize(&laptop.token).await, "session_ended");
    let body = json!({"refreshToken": "nonsense"});
    users.log_out(&phone, &body).await;
    assert_eq!(users.authorize(&tablet.token).await, "user");
}

#[tokio::test]
async fn a_session_is_required_and_a_body_must_be_valid() {
    let users = TestUsers::new().await;
    let reply = users.client().post(PATH, &json!({}), UNAUTHORIZED).await;
    assert_eq!(reply.body["code"], "unauthenticated");
    users
        .internal_client()
        .post(PATH, &json!({}), FORBIDDEN)
        .await;
    let ada = users.register("ada@example.com").await;
    let client = users.client_of(&ada);
    for body in [json!({"refreshToken": 1}), json!({"token": "x"})] {
        client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    }
    client
        .send(Method::POST, PATH, Some("{".into()), BAD_REQUEST)
        .await;
    assert_eq!(
        users.authorize(&ada.token).await,
        "user",
        "no session has ended"
    );
}
