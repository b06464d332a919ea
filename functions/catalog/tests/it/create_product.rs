//! `POST /api/products`.

use catalog::api::create_product;
use contracts::events::ProductCreated;
use kernel::{CategoryId, UserId};
use kernel::Role;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::Shop;

const PATH: &str = "/api/products";

#[tokio::test]
async fn a_product_is_made_and_announced() {
    let mut shop = Shop::open().await;
    shop.table.set("SHOP_CURRENCY", "EUR");
    let client = shop.client(&create_product::function()).await.as_internal();
    let category = shop.category("Lamps", None).await;
    let body = format!(
        r#"{{"name":" Desk lamp ","description":"Bright","price":19.90,"categoryId":"{category}",
            "stock":7,"tags":["New","new","LED"]}}"#
    );
    let reply = client
        .send(runtime::http::Method::POST, PATH, Some(body), CREATED)
        .await;
    let data = &reply.body["data"];
    let location = format!("{PATH}/{}", data["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(&*location));
    let mut shown = data.clone();
    for given in ["id", "createdAt", "updatedAt"] {
        assert!(
            shown
                .as_object_mut()
                .unwrap()
                .remove(given)
                .unwrap()
                .is_string()
        );
    }
    let expected = json!({
        "name": "Desk lamp", "description": "Bright", "price": 19.9, "currency": "EUR",
        "categoryId": category, "stock": 7, "tags": ["new", "led"], "active": true
    });
    assert_eq!(shown, expected);
    let events = shop.table.events().await;
    let created: ProductCreated = events.last().unwrap().read().unwrap();
    assert_eq!(created.price.to_string(), "19.90 EUR");
    assert_eq!(
        (created.stock, json!(created.product_id)),
        (7, data["id"].clone())
    );
}

#[tokio::test]
async fn the_least_that_is_needed_is_enough() {
    let shop = Shop::open().await;
    let client = shop.client(&create_product::function()).await.as_internal();
    let category = shop.category("Lamps", None).await;
    let body = json!({ "name": "x", "price": 1, "currency": "JPY", "categoryId": category });
    let data = client.post(PATH, &body, CREATED).await.body["data"].clone();
    let rest = (
        &data["stock"],
        &data["tags"],
        &data["description"],
        &data["currency"],
    );
    assert_eq!(rest, (&json!(0), &json!([]), &Value::Null, &json!("JPY")));
}

#[tokio::test]
async fn only_admins_and_machines_may() {
    let shop = Shop::open().await;
    let client = shop.client(&create_product::function()).await;
    let category = shop.category("Lamps", None).await;
    let body = json!({ "name": "x", "price": 1, "categoryId": category });
    client.post(PATH, &body, UNAUTHORIZED).await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::User)
        .post(PATH, &body, FORBIDDEN)
        .await;
    client
        .as_user(testkit::new_id::<UserId>(), Role::Admin)
        .post(PATH, &body, CREATED)
        .await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let shop = Shop::open().await;
    let client = shop.client(&create_product::function()).await.as_internal();
    let category = shop.category("Lamps", None).await;
    let fine = json!({ "name": "x", "price": 1, "categoryId": category });
    let wrong = [
        ("/name", json!("x".repeat(201))),
        ("/description", json!("x".repeat(5_001))),
        ("/price", json!(1.234)),
        ("/price", json!(0)),
        ("/price", json!(-1)),
        ("/price", json!("1")),
        ("/currency", json!("usd")),
        ("/categoryId", json!("x")),
        ("/categoryId", json!(testkit::new_id::<CategoryId>())),
        ("/stock", json!(-1)),
        ("/stock", json!(1.5)),
        ("/stock", json!(1_000_001)),
        (
            "/tags",
            json!(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]),
        ),
        ("/tags/1", json!(["a", "x".repeat(31)])),
        ("/color", json!("red")),
    ];
    for (field, value) in wrong {
        let mut body = fine.clone();
        let name = field.split('/').nth(1).unwrap();
        body[name] = value;
        let refused = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused.invalid_fields(), [field], "{body}");
        assert_eq!(refused.body["code"], "validation_failed");
    }
    assert!(
        !shop
            .table
            .event_types()
            .await
            .contains(&"product.created".to_owned())
    );
}

/// The longest product there can be still goes into one transaction.
#[tokio::test]
async fn a_product_of_the_greatest_size_is_made() {
    let shop = Shop::open().await;
    let mut category = None;
    for level in 1..=5 {
        category = Some(shop.category(&format!("Level {level}"), category).await);
    }
    let words: Vec<String> = (0..500).map(|n| format!("word{n:04}")).collect();
    let tags: Vec<String> = (0..10).map(|n| format!("tag{n}")).collect();
    let id = shop
        .product_of(json!({
            "name": "ẞ".repeat(200), "description": words.join(" "), "categoryId": category,
            "tags": tags, "price": 100_000_000, "stock": 1_000_000
        }))
        .await;
    let items = shop.table.items().await;
    let entries = items
        .iter()
        .filter(|item| item["sk"].as_s().unwrap() == &id.to_string());
    assert_eq!(entries.count(), 1 + 5 + 10 + catalog::domain::WORDS_MAX);
}
