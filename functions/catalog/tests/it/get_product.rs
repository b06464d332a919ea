//! `GET /api/products/{id}`.

use catalog::api::{adjust_stock, get_product};
use kernel::ProductId;
use serde_json::json;
use testkit::status::*;

use crate::shop::Shop;

#[tokio::test]
async fn everybody_sees_a_product_and_its_tag_moves_with_its_stock() {
    let shop = Shop::open().await;
    let lamp = json!({ "name": "Lamp", "price": 19.99, "stock": 5 });
    let lamp = shop.product_of(lamp).await;
    let path = format!("/api/products/{lamp}");
    let client = shop.client(&get_product::function()).await;
    let seen = client.get(&path, OK).await;
    assert_eq!(
        (&seen.body["data"]["id"], &seen.body["data"]["stock"]),
        (&json!(lamp), &json!(5))
    );
    assert_eq!(seen.body["data"]["price"], json!(19.99));
    let tag = seen.header("etag").unwrap().to_owned();
    let again = client.with_header("if-none-match", &tag);
    again.get(&path, NOT_MODIFIED).await;

    shop.hold(&[(lamp, 1)]).await;
    let held = again.get(&path, OK).await;
    assert_eq!(held.body["data"]["stock"], 4);
    let stock = shop.client(&adjust_stock::function()).await.as_internal();
    stock
        .put(&format!("{path}/stock"), &json!({ "quantity": 9 }), OK)
        .await;
    let again = client.with_header("if-none-match", held.header("etag").unwrap());
    assert_eq!(again.get(&path, OK).await.body["data"]["stock"], 9);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let shop = Shop::open().await;
    let client = shop.client(&get_product::function()).await;
    for id in [testkit::new_id::<ProductId>().to_string(), "x".into()] {
        let reply = client.get(&format!("/api/products/{id}"), NOT_FOUND).await;
        assert_eq!(reply.body["code"], "not_found");
    }
}
