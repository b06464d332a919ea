//! Exporting a user's data, and closing, reopening and erasing an account.

use local::Shop;
use serde_json::{Value, json};
use shop_client::{Account, Client, Method, eventually, order_of};

use crate::{
    process::{INTERNAL_KEY, options},
    support::{PASSWORD, anonymous, client_at, internal, is_remote, mail, register, register_at},
};

/// Places an order and waits until it is settled.
async fn order(person: &Account, internal: &Client) -> Value {
    let product = internal.create_product("5.00", 5).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let placed = person.client.place_order(&order, 201).await;
    person.client.settled_order(&placed.id()).await
}

async fn close(person: &Account) -> Value {
    let body = json!({ "currentPassword": PASSWORD });
    let closed = person.client.post("/api/users/close", &body, 200).await;
    closed.data().clone()
}

#[tokio::test]
async fn a_user_exports_their_data_and_closes_and_reopens_the_account() {
    let (person, internal) = (register().await, internal().await);
    let order = order(&person, &internal).await;
    let address = order["shippingAddress"].clone();
    let addresses = "/api/users/addresses";
    person.client.post(addresses, &address, 201).await;
    let export = eventually("the export is complete", || async {
        let export = person.client.get("/api/users/export", 200).await;
        let messages = export.data()["notifications"].as_array().unwrap();
        (messages.len() == 2).then_some(export)
    })
    .await;
    let data = export.data();
    assert_eq!(data["account"]["email"], person.email.as_str());
    assert_eq!(data["contact"]["email"], person.email.as_str());
    assert_eq!(data["addresses"][0]["line1"], address["line1"]);
    assert_eq!(data["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(data["history"][0]["type"], "user.registered");
    assert_eq!(data["orders"][0]["id"], order["id"]);
    assert_eq!(data["orders"][0]["shippingAddress"], address);
    assert_eq!(data["orders"][0]["history"][0]["type"], "order.placed");
    assert_eq!(data["payments"][0]["id"], order["paymentId"]);
    assert_eq!(data["payments"][0]["status"], "captured");
    for kind in ["verify_email", "order_confirmed"] {
        let messages = data["notifications"].as_array().unwrap();
        assert!(messages.iter().any(|one| one["type"] == kind), "{kind}");
    }
    for secret in ["argon2", "sealed", "refreshHash"] {
        assert!(!export.text.contains(secret), "{secret}");
    }

    let closed = close(&person).await;
    assert!(closed["eraseAt"].is_string(), "{closed}");
    person.client.get("/api/auth/me", 401).await;
    let client = anonymous().await;
    if let Some(mail) = mail(&client, &person.email, "is closed").await {
        assert!(mail["text"].as_str().unwrap().contains("sign in"), "{mail}");
    }
    let session = client.log_in(&person.email, PASSWORD, 200).await;
    let back = client.bearer(&session.data()["token"]);
    let me = back.get("/api/auth/me", 200).await;
    assert_eq!(me.data()["status"], "active");
    let orders = back.get("/api/orders", 200).await;
    assert_eq!(orders.data()[0]["id"], order["id"]);
    mail(&client, &person.email, "open again").await;
    eventually("the message about reopening is listed", || async {
        let list = back.get("/api/notifications", 200).await;
        let mut messages = list.items().iter();
        messages
            .find(|one| one["type"] == "account_reopened")
            .cloned()
    })
    .await;
    back.get("/api/users/export", 200).await;
    // Closed for good, so that the emulated cloud has an account to erase.
    let body = json!({ "currentPassword": PASSWORD });
    back.post("/api/users/close", &body, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_is_erased_everywhere_after_the_grace_period() {
    if is_remote() {
        return;
    }
    let mut options = options();
    options.environment = options
        .environment
        .with("ACCOUNT_GRACE_DAYS", "0")
        .with("INTERNAL_KEY", INTERNAL_KEY);
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = client_at(shop.url());
    let internal = client.as_internal(INTERNAL_KEY);
    let (ada, eve) = (register_at(&client).await, register_at(&client).await);
    let of_ada = order(&ada, &internal).await;
    order(&eve, &internal).await;
    close(&ada).await;
    // The grace period is zero days.
    client.log_in(&ada.email, PASSWORD, 401).await;
    let environment = client
        .get("/_local/environment?function=export-account", 200)
        .await;
    let lambda = environment.body["AWS_ENDPOINT_URL_LAMBDA"]
        .as_str()
        .unwrap();
    let lambda = client_at(lambda);
    let path = format!("/api/users/{}", ada.id);
    eventually("the account is erased", || async {
        let invoke = "/2015-03-31/functions/emporium-erase-accounts/invocations";
        let run = lambda
            .request(Method::POST, invoke, Some("{}".into()))
            .await
            .unwrap();
        assert_eq!(run.status, 200, "{}", run.text);
        let user = internal.request(Method::GET, &path, None).await.unwrap();
        (user.status == 404).then_some(())
    })
    .await;

    // The order remains without personal data; the messages are deleted.
    let export = |user_id: &str, service: &str| {
        let call = json!({"userId": user_id, "correlationId": "after"}).to_string();
        let path = format!("/2015-03-31/functions/emporium-export-{service}/invocations");
        let lambda = lambda.clone();
        async move {
            lambda
                .request(Method::POST, &path, Some(call))
                .await
                .unwrap()
        }
    };
    eventually("the order is anonymised", || async {
        let left = export(&ada.id, "orders").await;
        let address = &left.body["orders"][0]["shippingAddress"];
        (address["name"] == "-").then_some(())
    })
    .await;
    let left = export(&ada.id, "orders").await;
    assert_eq!(left.body["orders"][0]["totalAmount"], of_ada["totalAmount"]);
    assert_eq!(left.body["orders"][0]["shippingAddress"]["line1"], "-");
    eventually("the messages are deleted", || async {
        let left = export(&ada.id, "notifications").await;
        let none = left.body["notifications"].as_array().unwrap().is_empty();
        (none && left.body["contact"].is_null()).then_some(())
    })
    .await;
    let others = export(&eve.id, "notifications").await;
    assert_eq!(others.body["contact"]["email"], eve.email.as_str());
    assert!(!others.body["notifications"].as_array().unwrap().is_empty());
    // The address is available again.
    let body = json!({"email": ada.email, "password": PASSWORD, "name": "Ada"});
    let again = client.post("/api/auth/register", &body, 201).await;
    assert_ne!(again.data()["user"]["id"], ada.id.as_str());
    shop.stop().await;
}
