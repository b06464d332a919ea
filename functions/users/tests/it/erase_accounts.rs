//! Erasing who closed an account and did not come back.

use futures_util::future::join_all;
use kernel::{SignedDuration, UserId};
use serde_json::{Value, json};
use testkit::status::*;

use crate::{
    close_account::{GRACE, close, erase, publish, total},
    shop::{PASSWORD, Person, Shop},
};

/// Everything that the table holds, as one text.
async fn everything(shop: &Shop) -> String {
    let items = shop.table.items().await.into_iter();
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
async fn nothing_is_left_of_who_was_erased_but_that() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let eve = shop.register("eve@example.com").await;
    let address = json!({"name": "Ada L.", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"});
    let addresses = ada.client(&shop.add_address);
    addresses
        .post("/api/users/addresses", &address, CREATED)
        .await;
    shop.log_in("ada@example.com", "not the password", UNAUTHORIZED)
        .await;
    for _ in 0..3 {
        shop.log_in("ada@example.com", PASSWORD, OK).await;
    }
    close(&shop, &ada, PASSWORD, OK).await;
    publish(&shop).await;
    shop.clock.advance(GRACE);
    shop.log_in("ada@example.com", PASSWORD, UNAUTHORIZED).await;
    let rounds = join_all((0..4).map(|_| erase(&shop))).await;
    assert!(rounds.iter().sum::<u64>() >= 1, "{rounds:?}");

    let left = everything(&shop).await;
    let of_ada: Vec<&str> = left
        .lines()
        .filter(|line| line.contains(&ada.id.to_string()))
        .collect();
    // The token that was mailed goes by itself after a day.
    let of_ada: Vec<&&str> = of_ada
        .iter()
        .filter(|line| !line.contains("VERIFICATION#"))
        .collect();
    assert_eq!(of_ada.len(), 1, "{of_ada:#?}");
    assert!(of_ada[0].contains("user.erased"), "{of_ada:?}");
    assert!(!of_ada[0].to_lowercase().contains("ada@"), "{of_ada:?}");
    assert!(!left.contains("St James"));
    assert_eq!(total(&shop).await, 1);
    assert!(left.contains("eve@example.com"), "and nobody else");
    assert_eq!(shop.verdict(&eve.token).await, "token_expired");
    let types = shop.table.event_types().await;
    assert_eq!(
        types.iter().filter(|kind| *kind == "user.erased").count(),
        1
    );
    let path = format!("/api/users/{}", ada.id);
    shop.get_user.as_internal().get(&path, NOT_FOUND).await;
    // The address is free.
    let again = shop.register("ada@example.com").await;
    assert_ne!(again.id, ada.id);
    assert_eq!(erase(&shop).await, 0);
    assert_eq!(total(&shop).await, 2);
}

#[tokio::test]
async fn what_is_to_be_published_is_published_before_it_goes() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    shop.clock.advance(GRACE);
    // Nothing has been published: the person is out, the rest waits.
    assert_eq!(erase(&shop).await, 0);
    let types = shop.table.event_types().await;
    assert_eq!(types.len(), 4, "{types:?}");
    let again = shop.register("ada@example.com").await;
    assert_ne!(again.id, ada.id, "the address is free");
    publish(&shop).await;
    assert_eq!(erase(&shop).await, 1);
    let types = shop.table.event_types().await;
    assert_eq!(types, ["user.erased", "user.registered"]);
}

#[tokio::test]
async fn more_than_a_page_goes_too() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    for n in 0..60 {
        let change = json!({"status": if n % 2 == 0 { "suspended" } else { "active" }});
        shop.update(ada.id, &change, OK).await;
        let change = json!({"role": if n % 2 == 0 { "moderator" } else { "user" }});
        shop.update(ada.id, &change, OK).await;
    }
    let ada = Person::of(&shop.log_in("ada@example.com", PASSWORD, OK).await);
    close(&shop, &ada, PASSWORD, OK).await;
    publish(&shop).await;
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 1);
    assert_eq!(shop.table.event_types().await, ["user.erased"]);
}

#[tokio::test]
async fn an_account_that_is_being_erased_is_nobodys() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    close(&shop, &ada, PASSWORD, OK).await;
    shop.clock.advance(GRACE);
    assert_eq!(erase(&shop).await, 0, "its events wait");
    let path = format!("/api/users/{}", ada.id);
    let active = json!({"status": "active"});
    shop.update(ada.id, &active, NOT_FOUND).await;
    shop.get_user.as_internal().get(&path, NOT_FOUND).await;
    shop.delete_user
        .as_internal()
        .delete(&path, NOT_FOUND)
        .await;
    publish(&shop).await;
    assert_eq!(erase(&shop).await, 1);
}

#[tokio::test]
async fn who_comes_back_at_the_last_moment_is_in_or_out_and_never_half() {
    for _ in 0..5 {
        let shop = Shop::open().await;
        let ada = shop.register("ada@example.com").await;
        close(&shop, &ada, PASSWORD, OK).await;
        publish(&shop).await;
        shop.clock.advance(GRACE - SignedDuration::from_millis(1));
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let back = shop.log_in.exchange(
            http::Method::POST,
            "/api/auth/login",
            Some(body.to_string()),
        );
        let (back, ()) = tokio::join!(back, async {
            tokio::task::yield_now().await;
            shop.clock.advance(SignedDuration::from_millis(1));
            erase(&shop).await;
        });
        erase(&shop).await;
        if back.status == OK {
            assert_eq!(shop.verdict(&Person::of(&back).token).await, "user");
            assert_eq!(total(&shop).await, 1);
        } else {
            assert_eq!(total(&shop).await, 0);
            let path = format!("/api/users/{}", ada.id);
            shop.get_user.as_internal().get(&path, NOT_FOUND).await;
        }
    }
}

#[tokio::test]
async fn a_round_with_nothing_to_do_does_nothing() {
    let shop = Shop::open().await;
    shop.register("ada@example.com").await;
    let before = everything(&shop).await;
    assert_eq!(erase(&shop).await, 0);
    assert_eq!(everything(&shop).await, before);
    let nobody = testkit::new_id::<UserId>().to_string();
    assert!(!before.contains(&nobody));
}
