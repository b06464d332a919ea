use serde_json::json;
use testkit::status::*;

use crate::fixture::TestCatalog;

#[tokio::test]
async fn anybody_can_list_all_categories_oldest_first() {
    let catalog = TestCatalog::new().await;
    let client = catalog.client();
    let empty = client.get("/api/categories", OK).await;
    assert_eq!(empty.body["data"], json!([]));
    let root = catalog.category("Root", None).await;
    let leaf = catalog.category("Leaf", Some(root)).await;
    catalog.product(1).await; // in a category of its own
    let all = client.get("/api/categories", OK).await;
    let data = all.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    let leaf = json!({ "id": leaf, "name": "Leaf", "description": null, "parentId": root });
    assert_eq!((&data[0]["id"], &data[1]), (&json!(root), &leaf));
    let etag = all.header("etag").unwrap().to_owned();
    client
        .with_header("if-none-match", &etag)
        .get("/api/categories", NOT_MODIFIED)
        .await;
}
