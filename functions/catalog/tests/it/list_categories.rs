use std::time::Duration;

use kernel::SignedDuration;
use serde_json::json;
use testkit::status::*;

use crate::fixture::TestCatalog;

/// How old the list may be.
const AGE_MAX: SignedDuration = SignedDuration::from_secs(5);

#[tokio::test]
async fn anybody_can_list_all_categories_oldest_first() {
    let catalog = TestCatalog::new().await;
    let client = catalog.client();
    let empty = client.get("/api/categories", OK).await;
    assert_eq!(empty.body["data"], json!([]));
    let root = catalog.category("Root", None).await;
    let leaf = catalog.category("Leaf", Some(root)).await;
    catalog.product(1).await; // in a category of its own
    catalog.advance(AGE_MAX);
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

#[tokio::test]
async fn a_busy_shop_reads_the_categories_every_few_seconds_and_shows_new_ones_then() {
    let mut catalog = TestCatalog::new().await;
    catalog.category("Lamps", None).await;
    let calls = catalog.table.slow_down(Duration::from_millis(1)).await;
    let catalog = TestCatalog::on(catalog.table).await;
    let (client, reads) = (catalog.client(), || calls.all("Query"));
    for _ in 0..20 {
        client.get("/api/categories", OK).await;
    }
    assert_eq!(reads(), 1);

    catalog.category("Chairs", None).await;
    catalog.advance(AGE_MAX - SignedDuration::from_millis(1));
    let earlier = client.get("/api/categories", OK).await;
    assert_eq!(earlier.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(reads(), 1);

    catalog.advance(SignedDuration::from_millis(1));
    let later = client.get("/api/categories", OK).await;
    assert_eq!(later.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(reads(), 2);

    // A clock that goes back must not make the list stay.
    catalog.advance(SignedDuration::from_secs(-60));
    client.get("/api/categories", OK).await;
    assert_eq!(reads(), 3);
}
