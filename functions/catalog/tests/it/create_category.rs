//! `POST /api/categories`.

use catalog::api::create_category;
use contracts::events::CategoryCreated;
use dynamo::{Expression, Key};
use futures_util::future::join_all;
use kernel::{CategoryId, UserId};
use kernel::Role;
use serde_json::json;
use testkit::status::*;

use crate::shop::Shop;

const PATH: &str = "/api/categories";

#[tokio::test]
async fn a_category_is_made_and_announced() {
    let shop = Shop::open().await;
    let client = shop
        .client(&create_category::function())
        .await
        .as_internal();
    let body = json!({ "name": " Lamps ", "description": "Light" });
    let root = client.post(PATH, &body, CREATED).await;
    let data = &root.body["data"];
    assert_eq!(
        (&data["name"], &data["description"]),
        (&json!("Lamps"), &json!("Light"))
    );
    assert_eq!(data["parentId"], json!(null));
    let location = format!("{PATH}/{}", data["id"].as_str().unwrap());
    assert_eq!(root.header("location"), Some(&*location));

    let body = json!({ "name": "Desk lamps", "parentId": data["id"] });
    let leaf = client.post(PATH, &body, CREATED).await;
    assert_eq!(leaf.body["data"]["parentId"], data["id"]);
    let events = shop.table.events().await;
    let created: CategoryCreated = events[1].read().unwrap();
    assert_eq!(json!(created.parent_id), data["id"]);
    assert_eq!(created.name, "Desk lamps");
}

#[tokio::test]
async fn only_admins_and_machines_may() {
    let shop = Shop::open().await;
    let client = shop.client(&create_category::function()).await;
    let body = json!({ "name": "Lamps" });
    client.post(PATH, &body, UNAUTHORIZED).await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::User)
        .post(PATH, &body, FORBIDDEN)
        .await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::Moderator)
        .post(PATH, &body, FORBIDDEN)
        .await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::Admin)
        .post(PATH, &body, CREATED)
        .await;
}

#[tokio::test]
async fn a_name_is_taken_once_in_each_place() {
    let shop = Shop::open().await;
    let client = shop
        .client(&create_category::function())
        .await
        .as_internal();
    let root = shop.category("Café  Chairs", None).await;
    for name in ["Café Chairs", "CAFE chairs"] {
        let refused = client.post(PATH, &json!({ "name": name }), CONFLICT).await;
        assert_eq!(refused.body["code"], "category_exists");
    }
    let inside = json!({ "name": "Café Chairs", "parentId": root });
    client.post(PATH, &inside, CREATED).await;
    client.post(PATH, &inside, CONFLICT).await;

    let body = json!({ "name": "Racing" });
    let all = (0..8).map(|_| client.send(http_post(), PATH, Some(body.to_string()), CREATED));
    let made = join_all(all.map(|one| async { tokio::spawn(one).await.is_ok() })).await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
}

fn http_post() -> runtime::http::Method {
    runtime::http::Method::POST
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let shop = Shop::open().await;
    let client = shop
        .client(&create_category::function())
        .await
        .as_internal();
    let long = "x".repeat(1_001);
    let body = json!({ "name": "", "description": long, "parentId": "x", "odd": 1 });
    let refused = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(
        refused.invalid_fields(),
        ["/name", "/description", "/parentId", "/odd"]
    );
    let orphan = json!({ "name": "x", "parentId": testkit::new_id::<CategoryId>() });
    let refused = client.post(PATH, &orphan, UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused.invalid_fields(), ["/parentId"]);

    let mut parent = None;
    for level in 1..=5 {
        parent = Some(shop.category(&format!("Level {level}"), parent).await);
    }
    let too_deep = json!({ "name": "Level 6", "parentId": parent });
    let refused = client.post(PATH, &too_deep, UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused.invalid_fields(), ["/parentId"]);
}

#[tokio::test]
async fn there_are_so_many_and_no_more() {
    let shop = Shop::open().await;
    shop.category("First", None).await;
    let all_but_one = Expression::update("SET categories = :n").value(":n", 999);
    let key = Key::new("CATEGORIES_COUNT", "COUNT");
    let _: serde_json::Value = shop.table.table().update(key, all_but_one).await.unwrap();
    shop.category("Last", None).await;
    let client = shop
        .client(&create_category::function())
        .await
        .as_internal();
    let refused = client
        .post(PATH, &json!({ "name": "One more" }), CONFLICT)
        .await;
    assert_eq!(refused.body["code"], "too_many_categories");
}
