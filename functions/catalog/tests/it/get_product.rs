use kernel::ProductId;
use serde_json::json;
use testkit::status::*;

use crate::fixture::TestCatalog;

#[tokio::test]
async fn anybody_can_read_a_product_and_its_etag_changes_with_its_stock() {
    let catalog = TestCatalog::new().await;
    let lamp = json!({ "name": "Lamp", "price": 19.99, "stock": 5 });
    let lamp = catalog.product_of(lamp).await;
    let path = format!("/api/products/{lamp}");
    let client = catalog.client();
    let first = client.get(&path, OK).await;
    let data = &first.body["data"];
    assert_eq!((&data["id"], &data["stock"]), (&json!(lamp), &json!(5)));
    assert_eq!(data["price"], json!(19.99));
    let conditional = client.with_header("if-none-match", first.header("etag").unwrap());
    conditional.get(&path, NOT_MODIFIED).await;

    catalog.hold(&[(lamp, 1)]).await;
    let reserved = conditional.get(&path, OK).await;
    assert_eq!(reserved.body["data"]["stock"], 4);
    let (stock_path, body) = (format!("{path}/stock"), json!({ "quantity": 9 }));
    catalog.internal().put(&stock_path, &body, OK).await;
    let conditional = client.with_header("if-none-match", reserved.header("etag").unwrap());
    let counted = conditional.get(&path, OK).await;
    let numbers = ["stock", "held", "onHand"].map(|name| counted.body["data"][name].clone());
    assert_eq!(numbers, [8, 1, 9]);
}

#[tokio::test]
async fn an_unknown_product_is_404() {
    let catalog = TestCatalog::new().await;
    let unknown: ProductId = testkit::new_id();
    for id in [unknown.to_string(), "x".into()] {
        let path = format!("/api/products/{id}");
        let reply = catalog.client().get(&path, NOT_FOUND).await;
        assert_eq!(reply.body["code"], "not_found");
    }
}
