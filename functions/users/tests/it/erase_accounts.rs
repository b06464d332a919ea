//! `erase-accounts`: the erasure of accounts that were closed and not reopened.

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    close_account::GRACE,
    fixture::{PASSWORD, Person, TestUsers, full_address},
};

/// Every item of the table, one a line.
async fn all_items(users: &TestUsers) -> String {
    let items = users.table.items().await.into_iter();
    items
        .map(|item| {
            serde_dynamo::from_item::<_, Value>(item)
                .unwrap()
                .to_string()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn only_the_event_of_the_erasure_remains_of_an_erased_account() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let eve = users.register("eve@example.com").await;
    users.add_address(&ada, &full_address()).await;
    users
        .log_in("ada@example.com", "not the password", UNAUTHORIZED)
        .await;
    for _ in 0..3 {
        users.log_in("ada@example.com", PASSWORD, OK).await;
    }
    users.close_account(&ada, PASSWORD, OK).await;
    users.publish_events().await;
    users.advance(GRACE);
    users
        .log_in("ada@example.com", PASSWORD, UNAUTHORIZED)
        .await;
    let erased = join_all((0..4).map(|_| users.erase_accounts())).await;
    assert!(erased.iter().sum::<u64>() >= 1, "{erased:?}");

    let left = all_items(&users).await;
    // The token of the verification email expires after a day.
    let of_ada: Vec<&str> = left
        .lines()
        .filter(|line| line.contains(&ada.id.to_string()))
        .filter(|line| !line.contains("VERIFICATION#"))
        .collect();
    assert_eq!(of_ada.len(), 1, "{of_ada:#?}");
    assert!(of_ada[0].contains("user.erased"), "{of_ada:?}");
    assert!(!of_ada[0].to_lowercase().contains("ada@"), "{of_ada:?}");
    assert!(!left.contains("St James"));
    assert_eq!(users.total().await, 1);
    assert!(left.contains("eve@example.com"), "nobody else is erased");
    assert_eq!(users.authorize(&eve.token).await, "token_expired");
    let types = users.table.event_types().await;
    assert_eq!(
        types.iter().filter(|kind| *kind == "user.erased").count(),
        1
    );
    users.get_user(ada.id, NOT_FOUND).await;
    // The email can be registered again.
    let again = users.register("ada@example.com").await;
    assert_ne!(again.id, ada.id);
    assert_eq!(users.erase_accounts().await, 0);
    assert_eq!(users.total().await, 2);
}

#[tokio::test]
async fn events_are_published_before_they_are_erased() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.close_account(&ada, PASSWORD, OK).await;
    users.advance(GRACE);
    // Nothing has been published: personal data is erased, the events wait.
    assert_eq!(users.erase_accounts().await, 0);
    let types = users.table.event_types().await;
    assert_eq!(types.len(), 4, "{types:?}");
    let again = users.register("ada@example.com").await;
    assert_ne!(again.id, ada.id, "the email is free");
    users.publish_events().await;
    assert_eq!(users.erase_accounts().await, 1);
    let types = users.table.event_types().await;
    assert_eq!(types, ["user.erased", "user.registered"]);
}

#[tokio::test]
async fn more_items_than_fit_into_a_page_are_erased() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    for n in 0..60 {
        let change = json!({"status": if n % 2 == 0 { "suspended" } else { "active" }});
        users.update(ada.id, &change, OK).await;
        let change = json!({"role": if n % 2 == 0 { "moderator" } else { "user" }});
        users.update(ada.id, &change, OK).await;
    }
    let ada = Person::of(&users.log_in("ada@example.com", PASSWORD, OK).await);
    users.close_account(&ada, PASSWORD, OK).await;
    users.publish_events().await;
    users.advance(GRACE);
    assert_eq!(users.erase_accounts().await, 1);
    assert_eq!(users.table.event_types().await, ["user.erased"]);
}

#[tokio::test]
async fn an_account_whose_erasure_has_begun_cannot_be_found_or_changed() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    users.close_account(&ada, PASSWORD, OK).await;
    users.advance(GRACE);
    assert_eq!(users.erase_accounts().await, 0, "its events wait");
    let active = json!({"status": "active"});
    users.update(ada.id, &active, NOT_FOUND).await;
    users.get_user(ada.id, NOT_FOUND).await;
    users.delete_user(ada.id, NOT_FOUND).await;
    users.publish_events().await;
    assert_eq!(users.erase_accounts().await, 1);
}

#[tokio::test]
async fn a_login_that_races_the_erasure_either_reopens_the_account_or_finds_none() {
    for _ in 0..5 {
        let users = TestUsers::new().await;
        let ada = users.register("ada@example.com").await;
        users.close_account(&ada, PASSWORD, OK).await;
        users.publish_events().await;
        users.advance(GRACE - SignedDuration::from_millis(1));
        // Started before the race.
        users.function("log-in").await;
        users.function("erase-accounts").await;
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let back = users.client().exchange(
            http::Method::POST,
            "/api/auth/login",
            Some(body.to_string()),
        );
        let (back, ()) = tokio::join!(back, async {
            tokio::task::yield_now().await;
            users.advance(SignedDuration::from_millis(1));
            users.erase_accounts().await;
        });
        users.erase_accounts().await;
        if back.status == OK {
            assert_eq!(users.authorize(&Person::of(&back).token).await, "user");
            assert_eq!(users.total().await, 1);
        } else {
            assert_eq!(users.total().await, 0);
            users.get_user(ada.id, NOT_FOUND).await;
        }
    }
}

#[tokio::test]
async fn a_run_with_no_account_due_changes_nothing() {
    let users = TestUsers::new().await;
    users.register("ada@example.com").await;
    let before = all_items(&users).await;
    assert_eq!(users.erase_accounts().await, 0);
    assert_eq!(all_items(&users).await, before);
}
