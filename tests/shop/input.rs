//! Invalid input: the right status, the offending field, and never a 500.

use serde_json::{Value, json};
use shop_client::{Method, new_email, new_key, order_of};

use crate::support::{PASSWORD, anonymous, internal, register};

fn with_quantity(order: &Value, quantity: &str) -> String {
    order
        .to_string()
        .replace("\"quantity\":1", &format!("\"quantity\":{quantity}"))
}

#[tokio::test]
async fn invalid_orders_are_rejected_with_the_offending_field() {
    let (internal, person) = (internal().await, register().await);
    let lamp = internal.create_product("3.00", 100).await;
    let order = order_of(&[(&lamp, 1)], "pm_card_visa");
    let buyer = person.client.with_key(&new_key());
    for quantity in [
        "0",
        "-1",
        "1e9",
        "1000000000",
        "1.5",
        "\"2\"",
        "null",
        "[]",
        "true",
        "99999999999999999999",
    ] {
        let body = Some(with_quantity(&order, quantity));
        let refused = buyer.send(Method::POST, "/api/orders", body, 422).await;
        assert_eq!(
            refused.fields(),
            ["/items/0/quantity"],
            "{quantity}: {}",
            refused.body
        );
        assert_eq!(refused.body["code"], "validation_failed");
    }
    let mut cases = Vec::new();
    for (change, field) in [
        (json!({ "items": [] }), "/items"),
        (json!({ "items": "none" }), "/items"),
        (
            json!({ "paymentMethod": "4242424242424242" }),
            "/paymentMethod",
        ),
        (json!({ "paymentMethod": "" }), "/paymentMethod"),
        (json!({ "shippingAddress": null }), "/shippingAddress"),
        (json!({ "coupon": "FREE" }), "/coupon"),
    ] {
        let mut body = order.clone();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        cases.push((body, field));
    }
    for (part, value, field) in [
        ("country", json!("USA"), "/shippingAddress/country"),
        ("line1", json!(""), "/shippingAddress/line1"),
        ("city", json!(7), "/shippingAddress/city"),
        ("planet", json!("Mars"), "/shippingAddress/planet"),
    ] {
        let mut body = order.clone();
        body["shippingAddress"][part] = value;
        cases.push((body, field));
    }
    let mut twice = order.clone();
    twice["items"] = json!([order["items"][0], order["items"][0]]);
    cases.push((twice, "/items/1/productId"));
    let mut unknown = order.clone();
    unknown["items"][0]["productId"] = json!("01936d2e-7c1a-7b3e-9a51-0f6f5d1c2a01");
    cases.push((unknown, "/items/0/productId"));
    for (body, field) in cases {
        let refused = buyer.post("/api/orders", &body, 422).await;
        assert_eq!(refused.fields(), [field], "{}", refused.body);
    }
    let missing = buyer.post("/api/orders", &json!({}), 422).await;
    assert_eq!(
        missing.fields(),
        ["/items", "/shippingAddress", "/paymentMethod"]
    );
}

#[tokio::test]
async fn bodies_that_are_not_json_objects_are_rejected() {
    let person = register().await;
    let buyer = person.client.with_key(&new_key());
    for broken in ["{", "", "{\"items\":[}", "[1,2", "{\"a\":1}}", "\u{feff}{}"] {
        let refused = buyer
            .send(Method::POST, "/api/orders", Some(broken.into()), 400)
            .await;
        assert_eq!(refused.body["code"], "malformed_json", "{broken}");
    }
    for other in ["[]", "\"text\"", "7", "null"] {
        buyer
            .send(Method::POST, "/api/orders", Some(other.into()), 422)
            .await;
    }
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let refused = buyer
        .request(Method::POST, "/api/orders", Some(deep))
        .await
        .unwrap();
    assert!(
        [400, 422].contains(&refused.status.as_u16()),
        "{}",
        refused.body
    );

    let large = json!({ "items": "x".repeat(300 * 1024) });
    let refused = buyer.post("/api/orders", &large, 413).await;
    assert_eq!(refused.body["code"], "payload_too_large");
    let text = buyer.with("content-type", "text/plain");
    let refused = text.post("/api/orders", &json!({}), 415).await;
    assert_eq!(refused.body["code"], "unsupported_media_type");
}

#[tokio::test]
async fn missing_and_invalid_fields_of_a_registration_are_listed() {
    let client = anonymous().await;
    let refused = client.post("/api/auth/register", &json!({}), 422).await;
    assert_eq!(refused.fields(), ["/email", "/name", "/password"]);
    for (field, value) in [
        ("email", json!("not an address")),
        ("password", json!("short")),
        ("password", json!("password1234")),
        ("password", json!("x".repeat(129))),
        ("name", json!("x")),
        ("phone", json!("0123")),
        ("admin", json!(true)),
    ] {
        let mut body = json!({
            "email": new_email(), "password": PASSWORD, "name": "Ada"
        });
        body[field] = value;
        let refused = client.post("/api/auth/register", &body, 422).await;
        assert_eq!(refused.fields(), [format!("/{field}")], "{}", refused.body);
    }
}

#[tokio::test]
async fn invalid_query_parameters_are_named() {
    let client = anonymous().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("minPrice=abc", "minPrice"),
        ("minPrice=1.999", "minPrice"),
        ("sort=random", "sort"),
        ("cursor=AAAA", "cursor"),
        ("colour=red", "colour"),
        ("category=none", "category"),
    ] {
        let refused = client.get(&format!("/api/products?{query}"), 422).await;
        assert_eq!(refused.fields(), [field], "{query}: {}", refused.body);
    }
    for path in [
        "/api/products/none",
        "/api/products/%00",
        "/api/products/..%2f..%2fetc",
    ] {
        client.get(path, 404).await;
    }
}
