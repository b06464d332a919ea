use contracts::events::StockAdjusted;
use futures_util::future::join_all;
use kernel::{ProductId, Role};
use runtime::http::Method;
use serde_json::json;
use testkit::{Interleaved, status::*};

use crate::fixture::{TestCatalog, new_key};

#[tokio::test]
async fn a_stock_is_set_increased_and_decreased() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let view = |previous: u32, stock: u32| {
        json!({
            "productId": lamp, "previousStock": previous, "stock": stock, "held": 0, "onHand": stock,
        })
    };
    let put = client.put(&path, &json!({ "quantity": 9 }), OK).await;
    assert_eq!(put.body["data"], view(5, 9));
    let keyed = client.with_header("Idempotency-Key", "a");
    let patch = keyed.patch(&path, &json!({ "quantity": 4 }), OK).await;
    assert_eq!(patch.body["data"], view(9, 5));
    for (operation, after) in [("increase", 8), ("decrease", 5), ("set", 3)] {
        let reply = catalog.adjust(lamp, operation, 3).await;
        assert_eq!(reply["stock"], after, "{operation}");
    }
    assert_eq!(catalog.stock(lamp).await, 3);
    let events = catalog.table.events().await;
    let adjusted: Vec<_> = events.iter().filter(|e| e.is::<StockAdjusted>()).collect();
    assert_eq!(adjusted.len(), 5);
    let last: StockAdjusted = adjusted[4].read().unwrap();
    assert_eq!((last.previous_stock, last.stock), (5, 3));
    assert_eq!(adjusted[4].actor, "internal");
}

#[tokio::test]
async fn a_stock_stays_between_zero_and_the_maximum() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal().with_header("Idempotency-Key", "a");
    let body = json!({ "quantity": 6 });
    let conflict = client.patch(&path, &body, CONFLICT).await;
    assert_eq!(conflict.body["code"], "insufficient_stock");
    assert_eq!(conflict.invalid_fields(), ["/quantity"]);
    let message = conflict.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains('5'), "{message}");
    let body = json!({ "quantity": 999_996, "operation": "increase" });
    let invalid = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/quantity"]);
    assert_eq!(catalog.stock(lamp).await, 5);
    let events = catalog.table.event_types().await;
    assert!(!events.contains(&"stock.adjusted".to_owned()));
}

#[tokio::test]
async fn invalid_fields_are_reported_and_unknown_products_are_404() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    for quantity in [
        json!(-1),
        json!(1.5),
        json!(1_000_001),
        json!("1"),
        json!(null),
    ] {
        let body = json!({ "quantity": quantity });
        let invalid = client.put(&path, &body, UNPROCESSABLE_ENTITY).await;
        assert_eq!(invalid.invalid_fields(), ["/quantity"], "{body}");
    }
    let body = json!({ "quantity": 1, "operation": "double", "odd": 1 });
    let invalid = client.patch(&path, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(invalid.invalid_fields(), ["/operation", "/odd"]);
    let unknown: ProductId = testkit::new_id();
    for id in [unknown.to_string(), "x".into()] {
        let path = format!("/api/products/{id}/stock");
        let body = json!({ "quantity": 1 });
        client.put(&path, &body, NOT_FOUND).await;
    }
}

#[tokio::test]
async fn only_admins_and_internal_clients_may_adjust_stock() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.client();
    let body = json!({ "quantity": 1 });
    client.put(&path, &body, UNAUTHORIZED).await;
    for (role, status) in [(Role::User, FORBIDDEN), (Role::Admin, OK)] {
        let client = client.as_user(testkit::new_id(), role);
        let client = client.with_header("Idempotency-Key", "a");
        client.patch(&path, &body, status).await;
    }
    assert_eq!(catalog.stock(lamp).await, 4);
}

#[tokio::test]
async fn concurrent_adjustments_and_reservations_are_all_counted() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(100).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let (increase, decrease) = (
        json!({ "quantity": 3, "operation": "increase" }),
        json!({ "quantity": 2 }),
    );
    let adjustments = join_all((0..8).map(|n| {
        let body = if n % 2 == 0 { &increase } else { &decrease };
        let client = client.with_header("Idempotency-Key", &new_key());
        client.send(Method::PATCH, &path, Some(body.to_string()), OK)
    }));
    let line = [(lamp, 1)];
    let orders = join_all((0..10).map(|_| catalog.hold(&line)));
    let (replies, _) = futures_util::future::join(adjustments, orders).await;
    assert_eq!(catalog.stock(lamp).await, 100 + 4 * 3 - 4 * 2 - 10);
    for reply in replies {
        let number = |name: &str| reply.body["data"][name].as_i64().unwrap();
        let change = number("stock") - number("previousStock");
        assert!([3, -2].contains(&change), "{}", reply.body);
    }
}

#[tokio::test]
async fn a_stock_take_sets_what_is_on_hand_of_which_some_is_held() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(10).await;
    let order = catalog.hold(&[(lamp, 3)]).await;
    let path = format!("/api/products/{lamp}");
    let product = catalog.client().get(&path, OK).await;
    let numbers = |of: &serde_json::Value| ["stock", "held", "onHand"].map(|name| of[name].clone());
    assert_eq!(numbers(&product.body["data"]), [7, 3, 10]);
    // Ten are counted on the shelf, three of which are held.
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    let counted = client.put(&path, &json!({ "quantity": 10 }), OK).await;
    assert_eq!(numbers(&counted.body["data"]), [7, 3, 10]);
    let counted = client.put(&path, &json!({ "quantity": 3 }), OK).await;
    assert_eq!(numbers(&counted.body["data"]), [0, 3, 3]);
    let refused = client.put(&path, &json!({ "quantity": 2 }), CONFLICT).await;
    assert_eq!(refused.body["code"], "stock_held");
    assert_eq!(refused.invalid_fields(), ["/quantity"]);
    let message = refused.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains('3'), "{message}");
    // Sold goods leave.
    catalog.settle(&[catalog.authorized(order)]).await;
    assert_eq!(
        (catalog.stock(lamp).await, catalog.held(lamp).await),
        (0, 0)
    );
    client.put(&path, &json!({ "quantity": 2 }), OK).await;
    // Returned ones are on hand, and not held.
    catalog.settle(&[catalog.cancelled(order)]).await;
    assert_eq!(
        (catalog.stock(lamp).await, catalog.held(lamp).await),
        (5, 0)
    );
}

/// It was held before held goods were counted.
#[tokio::test]
async fn a_reservation_of_the_release_before_does_not_lower_what_is_held() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(10).await;
    for sold in [true, false] {
        let order = catalog.hold(&[(lamp, 2)]).await;
        let mut items = catalog.table.items().await.into_iter();
        let pk = format!("RESERVATION#{order}");
        let mut item: serde_json::Value = items
            .find(|item| item["pk"].as_s().is_ok_and(|text| *text == pk))
            .map(|item| serde_dynamo::from_item(item).unwrap())
            .unwrap();
        item.as_object_mut().unwrap().remove("counted").unwrap();
        let any = dynamo::Expression::default();
        catalog.table.table().put(&item, any).await.unwrap();
        let held = catalog.held(lamp).await;
        let event = match sold {
            true => catalog.authorized(order),
            false => catalog.cancelled(order),
        };
        catalog.settle(&[event]).await;
        assert_eq!(catalog.held(lamp).await, held);
    }
    assert_eq!(catalog.stock(lamp).await, 8);
}

#[tokio::test]
async fn an_increase_or_decrease_requires_a_key_and_counts_once_under_it() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let client = catalog.internal();
    for operation in ["increase", "decrease"] {
        let body = json!({ "quantity": 2, "operation": operation });
        let refused = client.put(&path, &body, BAD_REQUEST).await;
        assert_eq!(refused.body["code"], "idempotency_key_required");
        let keyed = client.with_header("Idempotency-Key", operation);
        let first = keyed.put(&path, &body, OK).await;
        catalog.hold(&[(lamp, 1)]).await;
        let again = keyed.put(&path, &body, OK).await;
        assert_eq!(again.body["data"], first.body["data"]);
        let other = json!({ "quantity": 3, "operation": operation });
        let reused = keyed.put(&path, &other, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reused.body["code"], "idempotency_key_reused");
    }
    // Two were put in, two taken out, and two are held.
    assert_eq!(catalog.stock(lamp).await, 3);
    // The key of another caller is another key.
    let admin = catalog.client().as_user(testkit::new_id(), Role::Admin);
    let keyed = admin.with_header("Idempotency-Key", "increase");
    let body = json!({ "quantity": 2, "operation": "increase" });
    keyed.put(&path, &body, OK).await;
    assert_eq!(catalog.stock(lamp).await, 5);
    let events = catalog.table.event_types().await;
    let adjusted = events.iter().filter(|name| *name == "stock.adjusted");
    assert_eq!(adjusted.count(), 3);
}

#[tokio::test]
async fn simultaneous_requests_under_one_key_count_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let path = format!("/api/products/{lamp}/stock");
    let keyed = catalog.internal().with_header("Idempotency-Key", "a");
    let body = json!({ "quantity": 2, "operation": "increase" }).to_string();
    let requests = (0..8).map(|_| keyed.exchange(Method::PUT, &path, Some(body.clone())));
    for reply in join_all(requests).await {
        let in_progress = reply.body["code"] == "idempotency_in_progress";
        assert!(
            in_progress || reply.body["data"]["stock"] == 7,
            "{}",
            reply.body
        );
    }
    assert_eq!(catalog.stock(lamp).await, 7);
}

/// A refused adjustment leaves the key free: what was refused may be possible later.
#[tokio::test]
async fn a_refused_adjustment_can_be_repeated_under_its_key() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(1).await;
    let path = format!("/api/products/{lamp}/stock");
    let keyed = catalog.internal().with_header("Idempotency-Key", "a");
    let body = json!({ "quantity": 2 });
    keyed.patch(&path, &body, CONFLICT).await;
    catalog.adjust(lamp, "increase", 1).await;
    keyed.patch(&path, &body, OK).await;
    keyed.patch(&path, &body, OK).await;
    assert_eq!(catalog.stock(lamp).await, 0);
}

/// Sold again and again between the read and the write, so that nothing that
/// requires the number that was read is ever written.
#[tokio::test]
async fn an_adjustment_does_not_starve_under_sales() {
    for (operation, quantity, left) in [("set", 50, 50), ("increase", 5, 105), ("decrease", 5, 95)]
    {
        let sales = Interleaved::default();
        let table = TestCatalog::empty_table().await.interleaved(&sales).await;
        let catalog = TestCatalog::on(table).await;
        let lamp = catalog.product(100).await;
        let pk = format!("PRODUCT#{lamp}");
        let sale = json!({
            "TableName": "test", "Key": {"pk": {"S": pk}, "sk": {"S": "PRODUCT"}},
            "UpdateExpression": "SET stock = stock - :one ADD held :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        });
        sales.update_before_writes(&pk, &sale);
        let reply = catalog.adjust(lamp, operation, quantity).await;
        assert!(sales.made() > 3, "{operation}: {}", sales.made());
        sales.stop();
        let stock = catalog.stock(lamp).await;
        assert_eq!(
            stock + catalog.held(lamp).await,
            left,
            "{operation}: {reply}"
        );
        let events = catalog.table.events().await;
        let adjusted: Vec<_> = events.iter().filter(|e| e.is::<StockAdjusted>()).collect();
        assert_eq!(adjusted.len(), 1);
        assert!(adjusted[0].read::<StockAdjusted>().unwrap().approximate);
    }
}
