//! Products and categories under an idempotency key.

use std::time::Duration;

use futures_util::future::join_all;
use kernel::SignedDuration;
use runtime::http::Method;
use serde_json::{Value, json};
use testkit::{Client, status::*};

use crate::fixture::TestCatalog;

const PRODUCTS: &str = "/api/products";
const CATEGORIES: &str = "/api/categories";
/// How long a claim is exclusive, and a bit.
const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_secs(16);

fn keyed(catalog: &TestCatalog, key: &str) -> Client {
    catalog.internal().with_header("idempotency-key", key)
}

async fn lamp(catalog: &TestCatalog) -> Value {
    let category = catalog.category("Lamps", None).await;
    json!({ "name": "Lamp", "price": 10, "categoryId": category, "stock": 3 })
}

async fn products(catalog: &TestCatalog) -> usize {
    let products: Vec<Value> = catalog.table.items_of("PRODUCT#", "PRODUCT").await;
    products.len()
}

#[tokio::test]
async fn sixteen_simultaneous_requests_with_one_key_create_one_product() {
    let catalog = TestCatalog::new().await;
    let body = lamp(&catalog).await;
    let client = keyed(&catalog, "one");
    let requests = (0..16).map(|_| client.exchange(Method::POST, PRODUCTS, Some(body.to_string())));
    let replies = join_all(requests).await;
    let created: Vec<_> = replies
        .iter()
        .filter(|reply| reply.status == CREATED)
        .collect();
    assert!(!created.is_empty());
    for reply in &replies {
        match reply.status {
            CREATED => assert_eq!(reply.body, created[0].body),
            CONFLICT => assert_eq!(reply.body["code"], "idempotency_in_progress"),
            other => panic!("{other}: {}", reply.body),
        }
    }
    assert_eq!(products(&catalog).await, 1);
}

#[tokio::test]
async fn a_request_whose_reply_was_lost_gets_the_same_product_when_it_is_repeated() {
    let catalog = TestCatalog::new().await;
    let body = lamp(&catalog).await;
    let client = keyed(&catalog, "one");
    let first = client.post(PRODUCTS, &body, CREATED).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = client.post(PRODUCTS, &body, CREATED).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(products(&catalog).await, 1);

    let mut other = body.clone();
    other["stock"] = json!(4);
    let refused = client.post(PRODUCTS, &other, UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused.body["code"], "idempotency_key_reused");
    keyed(&catalog, "two").post(PRODUCTS, &body, CREATED).await;
    catalog.internal().post(PRODUCTS, &body, CREATED).await;
    assert_eq!(products(&catalog).await, 3, "other keys, and none");
}

#[tokio::test]
async fn a_category_that_is_repeated_under_its_key_is_not_taken_for_another() {
    let catalog = TestCatalog::new().await;
    let client = keyed(&catalog, "one");
    let body = json!({ "name": "Lamps" });
    let first = client.post(CATEGORIES, &body, CREATED).await;
    let again = client.post(CATEGORIES, &body, CREATED).await;
    assert_eq!(again.body, first.body);
    let other = keyed(&catalog, "two");
    let taken = other.post(CATEGORIES, &body, CONFLICT).await;
    assert_eq!(taken.body["code"], "category_exists");
}

#[tokio::test]
async fn a_key_is_free_again_when_nothing_was_created() {
    let catalog = TestCatalog::new().await;
    let mut body = lamp(&catalog).await;
    let category = body["categoryId"].take();
    body["categoryId"] = json!(testkit::new_id::<kernel::CategoryId>());
    let client = keyed(&catalog, "one");
    client.post(PRODUCTS, &body, UNPROCESSABLE_ENTITY).await;
    body["categoryId"] = category;
    client.post(PRODUCTS, &body, CREATED).await;
    assert_eq!(products(&catalog).await, 1);
}

/// Its transaction may still be under way: it lands, or the next request's does.
#[tokio::test]
async fn a_function_that_dies_while_it_writes_leaves_a_key_that_creates_one_product() {
    for operation in ["PutItem", "GetItem", "TransactWriteItems"] {
        let mut catalog = TestCatalog::new().await;
        let body = lamp(&catalog).await;
        let calls = catalog.table.slow_down(Duration::from_millis(20)).await;
        let slow = TestCatalog::on(catalog.table).await;
        let dying = slow.function("create-product").await;
        let before = calls.all(operation);
        let client = Client::new(dying)
            .as_internal()
            .with_header("idempotency-key", "one");
        tokio::select! {
            _ = client.exchange(Method::POST, PRODUCTS, Some(body.to_string())) => panic!("too fast"),
            () = async {
                while calls.all(operation) == before {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => {}
        }
        catalog = slow;
        let client = keyed(&catalog, "one");
        client
            .exchange(Method::POST, PRODUCTS, Some(body.to_string()))
            .await;
        catalog.advance(CLAIM_LIFETIME);
        let reply = client.post(PRODUCTS, &body, CREATED).await;
        let again = client.post(PRODUCTS, &body, CREATED).await;
        assert_eq!(reply.body, again.body);
        assert_eq!(products(&catalog).await, 1, "{operation}");
    }
}
