use contracts::events::ProductCreated;
use kernel::{CategoryId, Role};
use runtime::http::Method;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::TestCatalog;

const PATH: &str = "/api/products";

#[tokio::test]
async fn a_product_is_created_and_announced() {
    let catalog = TestCatalog::with(&[("SHOP_CURRENCY", "EUR")]).await;
    let category = catalog.category("Lamps", None).await;
    let body = format!(
        r#"{{"name":" Desk lamp ","description":"Bright","price":19.90,"categoryId":"{category}",
            "stock":7,"tags":["New","new","LED"]}}"#
    );
    let client = catalog.internal();
    let reply = client.send(Method::POST, PATH, Some(body), CREATED).await;
    let data = &reply.body["data"];
    let location = format!("{PATH}/{}", data["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(&*location));
    let mut shown = data.clone();
    for generated in ["id", "createdAt", "updatedAt"] {
        let removed = shown.as_object_mut().unwrap().remove(generated);
        assert!(removed.unwrap().is_string(), "{generated}");
    }
    let expected = json!({
        "name": "Desk lamp", "description": "Bright", "price": 19.9, "currency": "EUR",
        "categoryId": category, "stock": 7, "held": 0, "onHand": 7, "tags": ["new", "led"],
        "active": true
    });
    assert_eq!(shown, expected);
    let events = catalog.table.events().await;
    let created: ProductCreated = events.last().unwrap().read().unwrap();
    assert_eq!(created.price.to_string(), "19.90 EUR");
    assert_eq!(created.stock, 7);
    assert_eq!(json!(created.product_id), data["id"]);
}

#[tokio::test]
async fn optional_fields_have_defaults() {
    let catalog = TestCatalog::new().await;
    let client = catalog.internal();
    let category = catalog.category("Lamps", None).await;
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
async fn only_admins_and_internal_clients_may_create_products() {
    let catalog = TestCatalog::new().await;
    let client = catalog.client();
    let category = catalog.category("Lamps", None).await;
    let body = json!({ "name": "x", "price": 1, "categoryId": category });
    client.post(PATH, &body, UNAUTHORIZED).await;
    for (role, status) in [(Role::User, FORBIDDEN), (Role::Admin, CREATED)] {
        let client = client.as_user(testkit::new_id(), role);
        client.post(PATH, &body, status).await;
    }
}

#[tokio::test]
async fn every_invalid_field_is_reported() {
    let catalog = TestCatalog::new().await;
    let client = catalog.internal();
    let category = catalog.category("Lamps", None).await;
    let valid = json!({ "name": "x", "price": 1, "categoryId": category });
    let invalid = [
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
    for (field, value) in invalid {
        let mut body = valid.clone();
        let name = field.split('/').nth(1).unwrap();
        body[name] = value;
        let reply = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), [field], "{body}");
        assert_eq!(reply.body["code"], "validation_failed");
    }
    let events = catalog.table.event_types().await;
    assert!(!events.contains(&"product.created".to_owned()));
}

#[tokio::test]
async fn the_largest_product_fits_into_one_transaction() {
    let catalog = TestCatalog::new().await;
    let mut category = None;
    for level in 1..=5 {
        category = Some(catalog.category(&format!("Level {level}"), category).await);
    }
    let words: Vec<String> = (0..500).map(|n| format!("word{n:04}")).collect();
    let tags: Vec<String> = (0..10).map(|n| format!("tag{n}")).collect();
    let id = catalog
        .product_of(json!({
            "name": "ẞ".repeat(200), "description": words.join(" "), "categoryId": category,
            "tags": tags, "price": 100_000_000, "stock": 1_000_000
        }))
        .await;
    let items = catalog.table.items().await;
    let entries = items
        .iter()
        .filter(|item| item["sk"].as_s().unwrap() == &id.to_string());
    assert_eq!(entries.count(), 1 + 5 + 10 + catalog::domain::WORDS_MAX);
}
