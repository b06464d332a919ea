use contracts::events::CategoryCreated;
use dynamo::{Expression, Key};
use futures_util::future::join_all;
use kernel::{CategoryId, Role};
use runtime::http::Method;
use serde_json::json;
use testkit::status::*;

use crate::fixture::TestCatalog;

const PATH: &str = "/api/categories";

#[tokio::test]
async fn a_category_is_created_and_announced() {
    let catalog = TestCatalog::new().await;
    let client = catalog.internal();
    let body = json!({ "name": " Lamps ", "description": "Light" });
    let root = client.post(PATH, &body, CREATED).await;
    let data = &root.body["data"];
    assert_eq!(data["name"], "Lamps");
    assert_eq!(data["description"], "Light");
    assert_eq!(data["parentId"], json!(null));
    let location = format!("{PATH}/{}", data["id"].as_str().unwrap());
    assert_eq!(root.header("location"), Some(&*location));

    let body = json!({ "name": "Desk lamps", "parentId": data["id"] });
    let leaf = client.post(PATH, &body, CREATED).await;
    assert_eq!(leaf.body["data"]["parentId"], data["id"]);
    let events = catalog.table.events().await;
    let created: CategoryCreated = events[1].read().unwrap();
    assert_eq!(json!(created.parent_id), data["id"]);
    assert_eq!(created.name, "Desk lamps");
}

#[tokio::test]
async fn only_admins_and_internal_clients_may_create_categories() {
    let catalog = TestCatalog::new().await;
    let client = catalog.client();
    let body = json!({ "name": "Lamps" });
    client.post(PATH, &body, UNAUTHORIZED).await;
    for (role, status) in [
        (Role::User, FORBIDDEN),
        (Role::Moderator, FORBIDDEN),
        (Role::Admin, CREATED),
    ] {
        let client = client.as_user(testkit::new_id(), role);
        client.post(PATH, &body, status).await;
    }
}

#[tokio::test]
async fn a_name_is_unique_within_its_parent() {
    let catalog = TestCatalog::new().await;
    let client = catalog.internal();
    let root = catalog.category("Café  Chairs", None).await;
    for name in ["Café Chairs", "CAFE chairs"] {
        let conflict = client.post(PATH, &json!({ "name": name }), CONFLICT).await;
        assert_eq!(conflict.body["code"], "category_exists");
    }
    let inside = json!({ "name": "Café Chairs", "parentId": root });
    client.post(PATH, &inside, CREATED).await;
    client.post(PATH, &inside, CONFLICT).await;

    let body = json!({ "name": "Concurrent" }).to_string();
    let post = || client.exchange(Method::POST, PATH, Some(body.clone()));
    let replies = join_all((0..8).map(|_| post())).await;
    let created = replies.iter().filter(|reply| reply.status == CREATED);
    assert_eq!(created.count(), 1);
}

#[tokio::test]
async fn every_invalid_field_is_reported() {
    let catalog = TestCatalog::new().await;
    let client = catalog.internal();
    let long = "x".repeat(1_001);
    let body = json!({ "name": "", "description": long, "parentId": "x", "odd": 1 });
    let invalid = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(
        invalid.invalid_fields(),
        ["/name", "/description", "/parentId", "/odd"]
    );
    let orphan = json!({ "name": "x", "parentId": testkit::new_id::<CategoryId>() });
    let invalid = client.post(PATH, &orphan, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/parentId"]);

    let mut parent = None;
    for level in 1..=5 {
        parent = Some(catalog.category(&format!("Level {level}"), parent).await);
    }
    let too_deep = json!({ "name": "Level 6", "parentId": parent });
    let invalid = client.post(PATH, &too_deep, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/parentId"]);
}

#[tokio::test]
async fn the_number_of_categories_is_limited() {
    let catalog = TestCatalog::new().await;
    catalog.category("First", None).await;
    let all_but_one = Expression::update("SET categories = :n").value(":n", 999);
    let key = Key::new("CATEGORIES_COUNT", "COUNT");
    let table = catalog.table.table();
    let _: serde_json::Value = table.update(key, all_but_one).await.unwrap();
    catalog.category("Last", None).await;
    let body = json!({ "name": "One more" });
    let conflict = catalog.internal().post(PATH, &body, CONFLICT).await;
    assert_eq!(conflict.body["code"], "too_many_categories");
}
