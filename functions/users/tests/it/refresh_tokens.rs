use futures_util::future::join_all;
use jiff::SignedDuration;
use kernel::SessionId;
use serde_json::json;
use testkit::status::*;

use crate::shop::{PASSWORD, Person, Shop};

async fn sessions(shop: &Shop) -> usize {
    shop.sessions().await.len()
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    shop.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(shop.verdict(&ada.token).await, "token_expired");
    let reply = shop.refresh(&ada.refresh, OK).await;
    let next = Person::of(&reply);
    assert_eq!((next.id, next.session_id()), (ada.id, ada.session_id()));
    assert_ne!(next.refresh, ada.refresh);
    assert_eq!(reply.body["data"]["tokenType"], "Bearer");
    assert_eq!(shop.verdict(&next.token).await, "user");
    shop.refresh(&next.refresh, OK).await;
}

#[tokio::test]
async fn a_token_used_twice_ends_the_session_at_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let other = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    let stolen = ada.refresh.clone();
    let next = Person::of(&shop.refresh(&ada.refresh, OK).await);
    assert_eq!(shop.verdict(&next.token).await, "user");
    shop.refresh(&stolen, UNAUTHORIZED).await;
    assert_eq!(shop.verdict(&next.token).await, "session_ended");
    shop.refresh(&next.refresh, UNAUTHORIZED).await;
    // Only that session: the other device stays signed in.
    assert_eq!(shop.verdict(&other.token).await, "user");
    shop.refresh(&other.refresh, OK).await;
}

#[tokio::test]
async fn of_many_at_once_at_most_one_wins_and_then_the_session_ends() {
    let shop = Shop::open().await;
    for round in 0..10 {
        let ada = shop.register(&format!("ada{round}@example.com")).await;
        let body = json!({ "refreshToken": ada.refresh });
        let attempts = (0..4).map(|_| {
            let (client, body) = (shop.refresh.clone(), body.clone());
            tokio::spawn(async move { client.post("/api/auth/refresh", &body, OK).await })
        });
        let replies: Vec<_> = join_all(attempts).await;
        let won: Vec<_> = replies
            .iter()
            .filter_map(|reply| reply.as_ref().ok())
            .collect();
        assert_eq!(won.len(), 1, "round {round}");
        assert_eq!(
            shop.verdict(won[0].body["data"]["token"].as_str().unwrap())
                .await,
            "session_ended"
        );
        assert_eq!(sessions(&shop).await, 0);
    }
}

#[tokio::test]
async fn storing_a_refresh_twice_is_once_and_of_two_one_loses() {
    use users::store::{RefreshSessionError, Store};
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let store = Store::new(shop.table.table());
    let seen = store
        .session(ada.id, ada.session_id())
        .await
        .unwrap()
        .unwrap();
    let one = seen.refreshed("one".into(), shop.clock.now());
    store.refresh_session(&seen, &one).await.unwrap();
    store.refresh_session(&seen, &one).await.unwrap();
    let two = seen.refreshed("two".into(), shop.clock.now());
    let lost = store.refresh_session(&seen, &two).await;
    assert!(
        matches!(lost, Err(RefreshSessionError::Superseded)),
        "{lost:?}"
    );
    assert_eq!(
        store.session(ada.id, seen.id).await.unwrap(),
        Some(one.clone())
    );
    // A session that was ended meanwhile does not come back.
    store.end_session(ada.id, seen.id).await.unwrap();
    store.end_session(ada.id, seen.id).await.unwrap();
    let lost = store.refresh_session(&one, &two).await;
    assert!(
        matches!(lost, Err(RefreshSessionError::Superseded)),
        "{lost:?}"
    );
    assert_eq!(store.session(ada.id, seen.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_lives_14_days_idle_and_30_at_most() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let idle = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    shop.clock.advance(days(13));
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    shop.clock.advance(days(1));
    shop.refresh(&idle.refresh, UNAUTHORIZED).await;
    shop.clock.advance(days(12));
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    shop.clock.advance(days(4) - SignedDuration::from_secs(300));
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    assert_eq!(shop.verdict(&ada.token).await, "user");
    shop.clock.advance(SignedDuration::from_secs(300));
    assert_eq!(
        shop.verdict(&ada.token).await,
        "session_ended",
        "30 days; the token has 5 minutes left"
    );
    shop.refresh(&ada.refresh, UNAUTHORIZED).await;
    assert!(
        sessions(&shop).await > 0,
        "DynamoDB has deleted nothing yet: the code has checked"
    );
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_ends_nothing() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
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
        shop.refresh(token, UNAUTHORIZED).await;
    }
    assert_eq!(shop.verdict(&ada.token).await, "user");
    for (body, field) in [
        (json!({}), "/refreshToken"),
        (json!({"refreshToken": 1}), "/refreshToken"),
    ] {
        let reply = shop
            .refresh
            .post("/api/auth/refresh", &body, UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), [field]);
    }
    shop.refresh(&ada.refresh, OK).await;
}

#[tokio::test]
async fn a_person_who_may_not_sign_in_may_not_refresh() {
    let shop = Shop::open().await;
    for status in ["inactive", "suspended", "pending"] {
        let person = shop.register(&format!("{status}@example.com")).await;
        shop.update(person.id, &json!({ "status": status }), OK)
            .await;
        shop.refresh(&person.refresh, UNAUTHORIZED).await;
        shop.update(person.id, &json!({"status": "active"}), OK)
            .await;
        shop.refresh(&person.refresh, UNAUTHORIZED).await;
        shop.log_in(&person.email, PASSWORD, OK).await;
    }
}
