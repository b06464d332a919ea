//! What people and those who run the shop are told of changes to an account.

use serde_json::json;

use crate::support::{
    Client, PASSWORD, eventually, mails, new_email, new_key, new_product, order_of, register,
    settled,
};

#[tokio::test]
async fn the_address_before_is_told_of_a_new_one() {
    let person = register().await;
    let client = Client::anonymous().await;
    let email = new_email();
    let body = json!({ "email": email, "currentPassword": PASSWORD });
    person.client.put("/api/users/profile", &body, 200).await;
    if mails(&client, &email, "").await.is_none() {
        return;
    }
    let verification = eventually("the mail to the new address", || async {
        mails(&client, &email, "verify").await.unwrap().pop()
    })
    .await;
    let text = verification["text"].as_str().unwrap();
    let (_, token) = text.split_once("token=").expect("a link");
    let body = json!({ "token": token.split_whitespace().next() });
    client.post("/api/auth/verify-email", &body, 200).await;
    let notice = eventually("the mail to the address before", || async {
        mails(&client, &person.email, "was changed")
            .await
            .unwrap()
            .pop()
    })
    .await;
    for part in ["text", "html"] {
        let told = notice[part].as_str().unwrap();
        assert!(told.contains("If it was not you"), "{told}");
        assert!(!told.contains(&email), "the new address is told: {told}");
    }
    assert!(
        mails(&client, &email, "was changed")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn those_who_run_the_shop_see_what_happened_to_an_account() {
    let internal = Client::internal().await;
    let person = register().await;
    let path = format!("/api/users/{}", person.id);
    internal
        .patch(&path, &json!({ "role": "moderator" }), 200)
        .await;
    let path = format!("{path}/history?limit=1");
    let first = internal.get(&path, 200).await;
    assert_eq!(first.data()[0]["type"], "user.registered");
    assert!(!first.text.contains("sealed"), "{}", first.text);
    let next = first.body["meta"]["pagination"]["nextCursor"].clone();
    let path = format!("{path}&cursor={}", next.as_str().unwrap());
    let second = internal.get(&path, 200).await;
    assert_eq!(second.data()[0]["type"], "user.updated");
    assert_eq!(second.data()[0]["actor"], "internal");
    assert_eq!(second.body["meta"]["pagination"]["hasMore"], false);
    person.client.get(&path, 403).await;
}

#[tokio::test]
async fn whoever_wants_no_mails_gets_none_about_an_order() {
    let internal = Client::internal().await;
    let person = register().await;
    let product = new_product(&internal, "5.00", 50).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let wish = json!({ "preferences": { "email": false } });
    let profile = person.client.put("/api/users/profile", &wish, 200).await;
    assert_eq!(profile.data()["preferences"]["email"], false);
    // The wish and the order come by different ways; which is first is not
    // promised. The next order is after both.
    let told = eventually("an order is told in the list alone", || async {
        let key = person.client.with("idempotency-key", &new_key());
        let placed = key.post("/api/orders", &order, 201).await;
        let id = placed.data()["id"].as_str().unwrap().to_owned();
        settled(&person.client, &id).await;
        let told = eventually("the order is told", || async {
            let list = person.client.get("/api/notifications", 200).await;
            let list = list.data().as_array().unwrap().clone();
            list.into_iter().find(|one| one["orderId"] == id.as_str())
        })
        .await;
        (told["status"] == "suppressed").then_some(told)
    })
    .await;
    assert_eq!(told["title"], "Your order is confirmed");
}
