//! Categories, products and stock.

use std::collections::HashSet;

use serde_json::{Value, json};
use shop_client::{Client, eventually, new_key};

use crate::support::{anonymous, internal};

async fn category(internal: &Client, name: &str, parent: Option<&Value>) -> Value {
    let mut body = json!({ "name": name });
    if let Some(parent) = parent {
        body["parentId"] = parent.clone();
    }
    internal.post("/api/categories", &body, 201).await.data()["id"].clone()
}

#[tokio::test]
async fn categories_are_listed_with_their_parents() {
    let internal = internal().await;
    let word = shop_client::unique().simple().to_string();
    let root = category(&internal, &format!("Root {word}"), None).await;
    let leaf = category(&internal, &format!("Leaf {word}"), Some(&root)).await;
    let client = anonymous().await;
    let find = |id: Value| {
        let client = client.clone();
        async move {
            let listed = client.get("/api/categories", 200).await;
            listed
                .items()
                .iter()
                .any(|one| one["id"] == id)
                .then_some(listed)
        }
    };
    // The list may be five seconds old.
    let listed = eventually("the category is listed", || find(leaf.clone())).await;
    let found = |id: &Value| {
        let all = listed.items();
        all.iter().find(|one| one["id"] == *id).unwrap().clone()
    };
    assert_eq!(found(&root)["parentId"], Value::Null);
    assert_eq!(found(&leaf)["parentId"], root);
}

#[tokio::test]
async fn products_are_filtered_and_sorted() {
    let (internal, client) = (internal().await, anonymous().await);
    let word = format!(
        "zephyr{}",
        &shop_client::unique().simple().to_string()[..12]
    );
    let root = category(&internal, &format!("Root {word}"), None).await;
    let leaf = category(&internal, &format!("Leaf {word}"), Some(&root)).await;
    for (name, price, parent) in [
        ("Birch", "30.00", &root),
        ("Alder", "10.50", &leaf),
        ("Cedar", "20", &leaf),
    ] {
        let price: Value = serde_json::from_str(price).unwrap();
        let body = json!({
            "name": format!("{name} {word}"), "price": price, "currency": "USD",
            "categoryId": parent, "stock": 3, "tags": [word]
        });
        internal.post("/api/products", &body, 201).await;
    }
    let names = async |query: String| -> Vec<String> {
        let page = client.get(&format!("/api/products?{query}"), 200).await;
        let items = page.items();
        items
            .iter()
            .map(|product| {
                let name = product["name"].as_str().unwrap();
                name.split(' ').next().unwrap().to_owned()
            })
            .collect()
    };
    let root = root.as_str().unwrap();
    let leaf = leaf.as_str().unwrap();
    assert_eq!(
        names(format!("category={root}&sort=name")).await,
        ["Alder", "Birch", "Cedar"]
    );
    assert_eq!(
        names(format!("category={leaf}&sort=name")).await,
        ["Alder", "Cedar"]
    );
    assert_eq!(
        names(format!("category={root}&sort=price")).await,
        ["Alder", "Cedar", "Birch"]
    );
    assert_eq!(
        names(format!("category={root}&sort=-price")).await,
        ["Birch", "Cedar", "Alder"]
    );
    assert_eq!(
        names(format!("category={root}")).await,
        ["Cedar", "Alder", "Birch"]
    );
    let priced = format!("category={root}&minPrice=10.51&maxPrice=30&sort=price");
    assert_eq!(names(priced).await, ["Cedar", "Birch"]);
    assert_eq!(names(format!("search={word}+cedar")).await, ["Cedar"]);
    assert_eq!(
        names(format!("search={}", word.to_uppercase())).await.len(),
        3
    );
    assert_eq!(
        names(format!("tag={word}&category={leaf}&sort=name")).await,
        ["Alder", "Cedar"]
    );
    assert_eq!(names(format!("search={word}+nothing")).await, [""; 0]);
}

#[tokio::test]
async fn pages_contain_every_product_exactly_once() {
    let (internal, client) = (internal().await, anonymous().await);
    let id = category(&internal, &format!("Pages {}", shop_client::unique()), None).await;
    for index in 0..7 {
        let body =
            json!({ "name": format!("Page {index}"), "price": 1, "categoryId": id, "stock": 1 });
        internal.post("/api/products", &body, 201).await;
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!(
            "/api/products?category={}&limit=3{cursor}",
            id.as_str().unwrap()
        );
        let page = client.get(&path, 200).await;
        let pagination = page.body["meta"]["pagination"].clone();
        assert_eq!(pagination["limit"], 3);
        seen.extend(page.items().iter().map(|product| product["id"].to_string()));
        pages += 1;
        assert!(pages < 10, "the pages do not end");
        match pagination["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(pagination["hasMore"], false);
                break;
            }
        }
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 7);
    let invalid = client
        .get(&format!("/api/products?limit=3{cursor}x"), 422)
        .await;
    assert_eq!(invalid.fields(), ["cursor"]);
}

#[tokio::test]
async fn an_etag_changes_with_the_stock() {
    let (internal, client) = (internal().await, anonymous().await);
    let id = internal.create_product("19.99", 5).await;
    let path = format!("/api/products/{id}");
    let product = client.get(&path, 200).await;
    assert_eq!(product.data()["stock"], 5);
    assert!(
        product.text.contains("\"price\":19.99,"),
        "{}",
        product.body
    );
    let tag = product.header("etag").to_owned();
    let same = client.with("if-none-match", &tag).get(&path, 304).await;
    assert_eq!(same.header("etag"), tag);

    let set = internal
        .put(&format!("{path}/stock"), &json!({ "quantity": 9 }), 200)
        .await;
    assert_eq!(
        set.data(),
        &json!({ "productId": id, "previousStock": 5, "stock": 9, "held": 0, "onHand": 9 })
    );
    client.with("if-none-match", &tag).get(&path, 200).await;
    let quantity = json!({ "quantity": 4 });
    internal
        .patch(&format!("{path}/stock"), &quantity, 400)
        .await;
    let keyed = internal.with_key(&new_key());
    let less = keyed.patch(&format!("{path}/stock"), &quantity, 200).await;
    let again = keyed.patch(&format!("{path}/stock"), &quantity, 200).await;
    assert_eq!(again.data(), less.data());
    assert_eq!(
        (&less.data()["previousStock"], &less.data()["stock"]),
        (&json!(9), &json!(5))
    );
    let more = json!({ "quantity": 2, "operation": "increase" });
    assert_eq!(
        internal
            .with_key(&new_key())
            .patch(&format!("{path}/stock"), &more, 200)
            .await
            .data()["stock"],
        7
    );
    let refused = internal
        .with_key(&new_key())
        .patch(&format!("{path}/stock"), &json!({ "quantity": 8 }), 409)
        .await;
    assert_eq!(refused.body["code"], "insufficient_stock");
    assert_eq!(client.get(&path, 200).await.data()["stock"], 7);
}

#[tokio::test]
async fn invalid_products_are_rejected_with_the_offending_fields() {
    let internal = internal().await;
    let wrong = json!({
        "name": " ", "price": 1.234, "categoryId": shop_client::unique(), "stock": -1, "tags": [""], "color": "red"
    });
    let refused = internal.post("/api/products", &wrong, 422).await;
    for field in ["/name", "/stock", "/tags/0", "/color"] {
        assert!(
            refused.fields().contains(&field),
            "{field}: {}",
            refused.body
        );
    }
    let id = category(&internal, &format!("Wrong {}", shop_client::unique()), None).await;
    let price = json!({ "name": "x", "price": 1.234, "categoryId": id });
    assert_eq!(
        internal.post("/api/products", &price, 422).await.fields(),
        ["/price"]
    );
    let category = json!({ "name": "x", "price": 1, "categoryId": shop_client::unique() });
    assert_eq!(
        internal
            .post("/api/products", &category, 422)
            .await
            .fields(),
        ["/categoryId"]
    );
    let orphan = json!({ "name": "x", "parentId": shop_client::unique() });
    assert_eq!(
        internal
            .post("/api/categories", &orphan, 422)
            .await
            .fields(),
        ["/parentId"]
    );
    anonymous()
        .await
        .get(&format!("/api/products/{}", shop_client::unique()), 404)
        .await;
}
