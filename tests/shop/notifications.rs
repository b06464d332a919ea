//! What users and operators are told about accounts and orders.

use serde_json::json;

use shop_client::{eventually, new_email, order_of};

use crate::support::{PASSWORD, anonymous, internal, mail, mails, register, token_in};

#[tokio::test]
async fn the_previous_address_is_notified_of_a_change() {
    let person = register().await;
    let client = anonymous().await;
    let email = new_email();
    let body = json!({ "email": email, "currentPassword": PASSWORD });
    person.client.put("/api/users/profile", &body, 200).await;
    let Some(verification) = mail(&client, &email, "verify").await else {
        return;
    };
    let body = json!({ "token": token_in(&verification["text"]) });
    client.post("/api/auth/verify-email", &body, 200).await;
    let notice = mail(&client, &person.email, "was changed").await.unwrap();
    for part in ["text", "html"] {
        let text = notice[part].as_str().unwrap();
        assert!(text.contains("If this wasn't you"), "{text}");
        assert!(!text.contains(&email), "it reveals the new address: {text}");
    }
    let to_new = mails(&client, &email, "was changed").await.unwrap();
    assert!(to_new.is_empty(), "{to_new:?}");
}

#[tokio::test]
async fn operators_see_the_history_of_an_account() {
    let internal = internal().await;
    let person = register().await;
    let path = format!("/api/users/{}", person.id);
    internal
        .patch(&path, &json!({ "role": "moderator" }), 200)
        .await;
    let path = format!("{path}/history?limit=1");
    let first = internal.get(&path, 200).await;
    assert_eq!(first.data()[0]["type"], "user.registered");
    assert!(!first.text.contains("sealed"), "{}", first.text);
    let path = format!("{path}&cursor={}", first.next_cursor().unwrap());
    let second = internal.get(&path, 200).await;
    assert_eq!(second.data()[0]["type"], "user.updated");
    assert_eq!(second.data()[0]["actor"], "internal");
    assert_eq!(second.body["meta"]["pagination"]["hasMore"], false);
    person.client.get(&path, 403).await;
}

#[tokio::test]
async fn opting_out_of_mail_suppresses_mails_about_orders() {
    let internal = internal().await;
    let person = register().await;
    let product = internal.create_product("5.00", 50).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let opt_out = json!({ "preferences": { "email": false } });
    let profile = person.client.put("/api/users/profile", &opt_out, 200).await;
    assert_eq!(profile.data()["preferences"]["email"], false);
    // The preference and the order arrive through different queues, in no
    // particular order; a later order comes after both.
    let message = eventually("an order's message is listed but not mailed", || async {
        let id = person.client.place_order(&order, 201).await.id();
        person.client.settled_order(&id).await;
        let message = eventually("the message is listed", || async {
            let list = person.client.get("/api/notifications", 200).await;
            let mut messages = list.items().iter();
            messages.find(|one| one["orderId"] == id.as_str()).cloned()
        })
        .await;
        (message["status"] == "suppressed").then_some(message)
    })
    .await;
    assert_eq!(message["title"], "Your order is confirmed");
}
