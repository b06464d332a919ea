//! `POST /api/auth/refresh`.

use futures_util::future::join_all;
use http::Method;
use kernel::{SessionId, SignedDuration};
use serde_json::json;
use testkit::status::*;

use crate::fixture::{PASSWORD, Person, TestUsers};

const PATH: &str = "/api/auth/refresh";

#[tokio::test]
async fn a_refresh_returns_new_tokens_for_the_same_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.advance(SignedDuration::from_hours(1));
    assert_eq!(users.authorize(&ada.token).await, "token_expired");
    let reply = users.refresh(&ada.refresh, OK).await;
    let next = Person::of(&reply);
    assert_eq!((next.id, next.session_id()), (ada.id, ada.session_id()));
    assert_ne!(next.refresh, ada.refresh);
    assert_eq!(reply.body["data"]["tokenType"], "Bearer");
    assert_eq!(users.authorize(&next.token).await, "user");
    users.refresh(&next.refresh, OK).await;
}

#[tokio::test]
async fn reusing_a_refresh_token_ends_the_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let other = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    let next = Person::of(&users.refresh(&ada.refresh, OK).await);
    assert_eq!(users.authorize(&next.token).await, "user");
    users.refresh(&ada.refresh, UNAUTHORIZED).await;
    assert_eq!(users.authorize(&next.token).await, "session_ended");
    users.refresh(&next.refresh, UNAUTHORIZED).await;
    // The user's other session is not affected.
    assert_eq!(users.authorize(&other.token).await, "user");
    users.refresh(&other.refresh, OK).await;
}

#[tokio::test]
async fn of_concurrent_refreshes_one_succeeds_and_the_session_ends() {
    let users = TestUsers::new().await;
    for round in 0..10 {
        let ada = users.register(&format!("ada{round}@example.com")).await;
        let body = json!({ "refreshToken": ada.refresh }).to_string();
        let requests = (0..4).map(|_| {
            users
                .client()
                .exchange(Method::POST, PATH, Some(body.clone()))
        });
        let replies = join_all(requests).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == OK);
        assert_eq!(won.len(), 1, "round {round}: {replies:?}");
        assert!(lost.iter().all(|reply| reply.status == UNAUTHORIZED));
        let token = Person::of(won[0]).token;
        assert_eq!(users.authorize(&token).await, "session_ended");
        assert!(users.sessions().await.is_empty());
    }
}

#[tokio::test]
async fn storing_a_refresh_is_idempotent_and_another_one_is_rejected() {
    use users::store::RefreshSessionError;
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let store = users.store();
    let seen = store
        .session(ada.id, ada.session_id())
        .await
        .unwrap()
        .unwrap();
    let one = seen.refreshed("one".into(), users.clock().now());
    store.refresh_session(&seen, &one).await.unwrap();
    store.refresh_session(&seen, &one).await.unwrap();
    let two = seen.refreshed("two".into(), users.clock().now());
    let rejected = store.refresh_session(&seen, &two).await;
    assert!(
        matches!(rejected, Err(RefreshSessionError::Superseded)),
        "{rejected:?}"
    );
    assert_eq!(
        store.session(ada.id, seen.id).await.unwrap(),
        Some(one.clone())
    );
    // A refresh does not restore a session that has ended.
    store.end_session(ada.id, seen.id).await.unwrap();
    store.end_session(ada.id, seen.id).await.unwrap();
    let rejected = store.refresh_session(&one, &two).await;
    assert!(
        matches!(rejected, Err(RefreshSessionError::Superseded)),
        "{rejected:?}"
    );
    assert_eq!(store.session(ada.id, seen.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_ends_after_14_idle_days_and_after_30_days_at_most() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let idle = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users.advance(days(13));
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    users.advance(days(1));
    users.refresh(&idle.refresh, UNAUTHORIZED).await;
    users.advance(days(12));
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    users.advance(days(4) - SignedDuration::from_secs(300));
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    assert_eq!(users.authorize(&ada.token).await, "user");
    users.advance(SignedDuration::from_secs(300));
    assert_eq!(
        users.authorize(&ada.token).await,
        "session_ended",
        "30 days; the token has 5 minutes left"
    );
    users.refresh(&ada.refresh, UNAUTHORIZED).await;
    assert!(
        !users.sessions().await.is_empty(),
        "the items have not expired yet"
    );
}

#[tokio::test]
async fn an_invalid_refresh_token_is_rejected_and_ends_no_session() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let secret = ada.refresh.split_once('.').unwrap().1;
    let unknown = format!("{}.{secret}", testkit::new_id::<SessionId>());
    for token in [
        "",
        "x",
        ".",
        &ada.refresh[1..],
        &unknown,
        &ada.token,
        &format!("{} ", ada.refresh),
    ] {
        users.refresh(token, UNAUTHORIZED).await;
    }
    assert_eq!(users.authorize(&ada.token).await, "user");
    for (body, field) in [
        (json!({}), "/refreshToken"),
        (json!({"refreshToken": 1}), "/refreshToken"),
    ] {
        let reply = users.client().post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), [field]);
    }
    users.refresh(&ada.refresh, OK).await;
}

#[tokio::test]
async fn an_inactive_account_cannot_refresh() {
    let users = TestUsers::new().await;
    for status in ["inactive", "suspended", "pending"] {
        let person = users.register(&format!("{status}@example.com")).await;
        users
            .update(person.id, &json!({ "status": status }), OK)
            .await;
        users.refresh(&person.refresh, UNAUTHORIZED).await;
        users
            .update(person.id, &json!({"status": "active"}), OK)
            .await;
        users.refresh(&person.refresh, UNAUTHORIZED).await;
        users.log_in(&person.email, PASSWORD, OK).await;
    }
}
