//! `GET /api/categories`.

use catalog::api::list_categories;
use serde_json::json;
use testkit::status::*;

use crate::shop::Shop;

#[tokio::test]
async fn everybody_sees_all_categories_oldest_first() {
    let shop = Shop::open().await;
    let client = shop.client(&list_categories::function()).await;
    let empty = client.get("/api/categories", OK).await;
    assert_eq!(empty.body["data"], json!([]));
    let root = shop.category("Root", None).await;
    let leaf = shop.category("Leaf", Some(root)).await;
    shop.product(1).await; // in a category of its own
    let all = client.get("/api/categories", OK).await;
    let data = all.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    let leaf = json!({ "id": leaf, "name": "Leaf", "description": null, "parentId": root });
    assert_eq!((&data[0]["id"], &data[1]), (&json!(root), &leaf));
    let tag = all.header("etag").unwrap().to_owned();
    client
        .with_header("if-none-match", &tag)
        .get("/api/categories", NOT_MODIFIED)
        .await;
}
