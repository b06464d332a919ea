//! The life of an order.

use std::collections::HashSet;

use serde_json::{Value, json};
use shop_client::{eventually, new_key, order_of};

use crate::support::{anonymous, internal, mail, mails, register};

#[tokio::test]
async fn a_paid_order_is_confirmed_and_mailed() {
    let (internal, person) = (internal().await, register().await);
    let lamp = internal.create_product("49.90", 10).await;
    let shade = internal.create_product("5.05", 10).await;
    let order = order_of(&[(&lamp, 2), (&shade, 1)], "pm_card_visa");
    let correlation = format!("test-{}", shop_client::unique());
    let buyer = person.client.with("x-correlation-id", &correlation);
    let key = new_key();
    let placed = buyer.with_key(&key).post("/api/orders", &order, 201).await;
    let id = placed.id();
    assert_eq!(placed.data()["status"], "pending");
    assert_eq!(placed.header("location"), format!("/api/orders/{id}"));
    let ours = placed.header("x-correlation-id").to_owned();
    assert_ne!(ours, correlation);
    assert_eq!(placed.header("x-client-correlation-id"), correlation);
    for exact in [
        "\"unitPrice\":49.90,",
        "\"totalPrice\":99.80",
        "\"totalAmount\":104.85,",
    ] {
        assert!(placed.text.contains(exact), "{exact}: {}", placed.text);
    }

    let again = buyer.with_key(&key).post("/api/orders", &order, 201).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.text, placed.text, "the replay differs");

    let confirmed = person.client.settled_order(&id).await;
    assert_eq!(confirmed["status"], "confirmed");
    assert_eq!(internal.stock_of(&lamp).await, 8);
    assert_eq!(internal.stock_of(&shade).await, 9);
    let payment = confirmed["paymentId"].as_str().unwrap();
    let payment = person
        .client
        .get(&format!("/api/payments/{payment}"), 200)
        .await;
    assert_eq!(payment.data()["status"], "captured");
    assert_eq!(payment.data()["orderId"], id.as_str());

    let history = person
        .client
        .get(&format!("/api/orders/{id}/history"), 200)
        .await;
    let steps = history.items();
    let types: Vec<_> = steps
        .iter()
        .map(|step| step["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "order.placed",
            "order.authorized",
            "order.committed",
            "order.confirmed"
        ]
    );
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step["version"], index + 1);
        assert_eq!(step["correlationId"], ours.as_str());
        assert_eq!(step["clientCorrelationId"], correlation.as_str());
        assert!(
            step["causationId"]
                .as_str()
                .is_some_and(|id| !id.is_empty()),
            "{step}"
        );
        assert!(step["at"].is_string());
    }

    if let Some(mail) = mail(&person.client, &person.email, "confirm").await {
        assert!(mail["text"].as_str().unwrap().contains("104.85"), "{mail}");
        let sent = mails(&person.client, &person.email, "confirm").await;
        assert_eq!(sent.unwrap().len(), 1);
    }
    let orders = person.client.get("/api/orders", 200).await;
    assert_eq!(orders.data()[0]["id"], id.as_str());
    let messages = person.client.get("/api/notifications", 200).await;
    assert!(!messages.items().is_empty());
}

#[tokio::test]
async fn a_declined_card_releases_the_stock_and_sends_a_mail() {
    let (internal, person) = (internal().await, register().await);
    let lamp = internal.create_product("49.90", 3).await;
    let order = order_of(&[(&lamp, 2)], "pm_card_chargeDeclined");
    let placed = person.client.place_order(&order, 201).await;
    let id = placed.data()["id"].as_str().unwrap();
    assert_eq!(
        person.client.settled_order(id).await["status"],
        "payment_failed"
    );
    eventually("the stock is released", || async {
        (internal.stock_of(&lamp).await == 3).then_some(())
    })
    .await;
    let payment = placed.data()["paymentId"].as_str().unwrap();
    let payment = person
        .client
        .get(&format!("/api/payments/{payment}"), 200)
        .await;
    assert_eq!(payment.data()["status"], "declined");
    if mail(&person.client, &person.email, "payment")
        .await
        .is_some()
    {
        for (phrase, expected) in [("payment", 1), ("confirmed", 0)] {
            let sent = mails(&person.client, &person.email, phrase).await;
            assert_eq!(sent.unwrap().len(), expected, "{phrase}");
        }
    }
}

#[tokio::test]
async fn insufficient_stock_is_reported_per_line_and_nothing_is_reserved() {
    let (internal, person) = (internal().await, register().await);
    let plenty = internal.create_product("1.00", 5).await;
    let scarce = internal.create_product("1.00", 1).await;
    let none = internal.create_product("1.00", 0).await;
    let order = order_of(&[(&plenty, 1), (&scarce, 2), (&none, 1)], "pm_card_visa");
    let buyer = person.client.with_key(&new_key());
    let refused = buyer.post("/api/orders", &order, 409).await;
    assert_eq!(refused.body["code"], "insufficient_stock");
    assert_eq!(refused.fields(), ["/items/1/quantity", "/items/2/quantity"]);
    assert_eq!(
        (
            internal.stock_of(&plenty).await,
            internal.stock_of(&scarce).await
        ),
        (5, 1)
    );
    // The key is still unused, so the same request succeeds once there is stock.
    let more = json!({ "quantity": 5 });
    internal
        .put(&format!("/api/products/{scarce}/stock"), &more, 200)
        .await;
    internal
        .put(&format!("/api/products/{none}/stock"), &more, 200)
        .await;
    buyer.post("/api/orders", &order, 201).await;
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_one_body_and_one_user() {
    let (internal, ada, bob) = (internal().await, register().await, register().await);
    let lamp = internal.create_product("2.00", 10).await;
    let key = new_key();
    let one = order_of(&[(&lamp, 1)], "pm_card_visa");
    let two = order_of(&[(&lamp, 2)], "pm_card_visa");
    let keyed = ada.client.with_key(&key);
    let first = keyed.post("/api/orders", &one, 201).await;
    assert_eq!(
        keyed.post("/api/orders", &two, 422).await.body["code"],
        "idempotency_key_reused"
    );
    let missing = ada.client.post("/api/orders", &one, 400).await;
    assert_eq!(missing.body["code"], "idempotency_key_required");
    let other = bob
        .client
        .with_key(&key)
        .post("/api/orders", &one, 201)
        .await;
    assert_ne!(first.data()["id"], other.data()["id"]);
}

#[tokio::test]
async fn other_users_orders_are_not_found() {
    let (internal, ada, bob) = (internal().await, register().await, register().await);
    let lamp = internal.create_product("2.00", 10).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa");
    let placed = ada.client.place_order(&order, 201).await;
    let id = placed.data()["id"].as_str().unwrap();
    ada.client.settled_order(id).await;
    let payment = placed.data()["paymentId"].as_str().unwrap();
    for path in [
        format!("/api/orders/{id}"),
        format!("/api/orders/{id}/history"),
        format!("/api/payments/{payment}"),
    ] {
        let theirs = bob.client.get(&path, 404).await;
        assert_eq!(theirs.body["code"], "not_found");
        anonymous().await.get(&path, 401).await;
        ada.client.get(&path, 200).await;
    }
    assert_eq!(bob.client.get("/api/orders", 200).await.data(), &json!([]));
    anonymous().await.place_order(&order, 401).await;
    ada.client
        .post("/api/products", &json!({ "name": "x" }), 403)
        .await;
}

#[tokio::test]
async fn orders_are_listed_in_pages_newest_first() {
    let (internal, ada) = (internal().await, register().await);
    let lamp = internal.create_product("2.00", 10).await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        let order = order_of(&[(&lamp, 1)], "pm_card_visa");
        let order = ada.client.place_order(&order, 201).await;
        placed.insert(0, order.data()["id"].clone());
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = ada
            .client
            .get(&format!("/api/orders?limit=2{cursor}"), 200)
            .await;
        seen.extend(page.items().iter().map(|order| order["id"].clone()));
        cursor = match page.next_cursor() {
            Some(next) => format!("&cursor={next}"),
            None => break,
        };
    }
    assert_eq!(seen, placed);
    assert_eq!(
        seen.iter()
            .map(Value::to_string)
            .collect::<HashSet<_>>()
            .len(),
        5
    );
}
