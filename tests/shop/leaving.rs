//! What the shop holds on a person, and how a person leaves it.

use local::{Shop, Source};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    process::{options, root},
    support::{
        Client, PASSWORD, Person, elsewhere, eventually, mails, new_key, new_product, order_of,
        register, register_at, settled,
    },
};

/// An order of the person, that has come to its end.
async fn order(person: &Person, internal: &Client) -> Value {
    let product = new_product(internal, "5.00", 5).await;
    let order = order_of(&[(&product, 1)], "pm_card_visa");
    let client = person.client.with("idempotency-key", &new_key());
    let placed = client.post("/api/orders", &order, 201).await;
    settled(&person.client, placed.data()["id"].as_str().unwrap()).await
}

async fn close(person: &Person) -> Value {
    let body = json!({ "currentPassword": PASSWORD });
    let closed = person.client.post("/api/users/close", &body, 200).await;
    closed.data().clone()
}

async fn log_in(client: &Client, person: &Person, expected: u16) -> Value {
    let body = json!({ "email": person.email, "password": PASSWORD });
    let reply = client.post("/api/auth/login", &body, expected).await;
    reply.body["data"]["token"].clone()
}

#[tokio::test]
async fn a_person_takes_all_their_data_leaves_and_comes_back() {
    let (person, internal) = (register().await, Client::internal().await);
    let order = order(&person, &internal).await;
    let address = order["shippingAddress"].clone();
    let addresses = "/api/users/addresses";
    person.client.post(addresses, &address, 201).await;
    let export = eventually("everything is in the export", || async {
        let export = person.client.get("/api/users/export", 200).await;
        let told = export.data()["notifications"].as_array().unwrap().len();
        (told == 2).then_some(export)
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
        let told = data["notifications"].as_array().unwrap();
        assert!(told.iter().any(|one| one["type"] == kind), "{kind}");
    }
    for secret in ["argon2", "sealed", "refreshHash"] {
        assert!(!export.text.contains(secret), "{secret}");
    }

    let closed = close(&person).await;
    assert!(closed["eraseAt"].is_string(), "{closed}");
    person.client.get("/api/auth/me", 401).await;
    let client = Client::anonymous().await;
    if mails(&client, &person.email, "is closed").await.is_some() {
        eventually("the mail that the account is closed", || async {
            let mail = mails(&client, &person.email, "is closed")
                .await
                .unwrap()
                .pop()?;
            mail["text"]
                .as_str()
                .unwrap()
                .contains("sign in")
                .then_some(())
        })
        .await;
    }
    let token = log_in(&client, &person, 200).await;
    let back = client.bearer(&token);
    let me = back.get("/api/auth/me", 200).await;
    assert_eq!(me.data()["status"], "active");
    let orders = back.get("/api/orders", 200).await;
    assert_eq!(orders.data()[0]["id"], order["id"]);
    if mails(&client, &person.email, "open again").await.is_some() {
        eventually("the mail that it is open again", || async {
            mails(&client, &person.email, "open again")
                .await
                .unwrap()
                .pop()
        })
        .await;
    }
    // What was told of it is in the list and in the export as well.
    eventually(
        "the message that it is open again is in the list",
        || async {
            let told = back.get("/api/notifications", 200).await;
            let told = told.data().as_array().unwrap().clone();
            let told = told.iter().any(|one| one["type"] == "account_reopened");
            told.then_some(())
        },
    )
    .await;
    back.get("/api/users/export", 200).await;
    // This one stays away: where schedules can be driven, it is erased.
    let body = json!({ "currentPassword": PASSWORD });
    back.post("/api/users/close", &body, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_away_is_forgotten_everywhere() {
    if elsewhere() {
        return;
    }
    let mut options = options();
    options.template = Source::File(root().join("template.yaml"));
    options.environment = std::mem::take(&mut options.environment)
        .with("ACCOUNT_GRACE_DAYS", "0")
        .with("INTERNAL_KEY", crate::process::INTERNAL_KEY);
    let shop = Shop::start(options).await.expect("the shop starts");
    let client = Client::at(shop.url());
    let internal = client.with("x-internal-key", crate::process::INTERNAL_KEY);
    let (ada, eve) = (register_at(&client).await, register_at(&client).await);
    let of_ada = order(&ada, &internal).await;
    order(&eve, &internal).await;
    close(&ada).await;
    // The grace is over as it begins.
    log_in(&client, &ada, 401).await;
    let environment = client
        .get("/_local/environment?function=export-account", 200)
        .await;
    let lambda = environment.body["AWS_ENDPOINT_URL_LAMBDA"]
        .as_str()
        .unwrap();
    let lambda = Client::at(lambda);
    let path = format!("/api/users/{}", ada.id);
    eventually("the account is gone", || async {
        let invoke = "/2015-03-31/functions/emporium-erase-accounts/invocations";
        let round = lambda
            .request(Method::POST, invoke, Some("{}".into()))
            .await
            .unwrap();
        assert_eq!(round.status, 200, "{}", round.text);
        let user = internal.request(Method::GET, &path, None).await.unwrap();
        (user.status == 404).then_some(())
    })
    .await;

    // The order stays, without the person; the messages go with the person.
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
    eventually("the person is out of the order", || async {
        let left = export(&ada.id, "orders").await;
        let address = &left.body["orders"][0]["shippingAddress"];
        (address["name"] == "-").then_some(())
    })
    .await;
    let left = export(&ada.id, "orders").await;
    assert_eq!(left.body["orders"][0]["totalAmount"], of_ada["totalAmount"]);
    assert_eq!(left.body["orders"][0]["shippingAddress"]["line1"], "-");
    eventually("the messages are gone", || async {
        let left = export(&ada.id, "notifications").await;
        let none = left.body["notifications"].as_array().unwrap().is_empty();
        (none && left.body["contact"].is_null()).then_some(())
    })
    .await;
    let others = export(&eve.id, "notifications").await;
    assert_eq!(others.body["contact"]["email"], eve.email.as_str());
    assert!(!others.body["notifications"].as_array().unwrap().is_empty());
    // Somebody else may have the address now.
    let body = json!({"email": ada.email, "password": PASSWORD, "name": "Ada"});
    let again = client.post("/api/auth/register", &body, 201).await;
    assert_ne!(again.data()["user"]["id"], ada.id.as_str());
    shop.stop().await;
}
