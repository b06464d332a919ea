//! The address book: `/api/users/addresses`.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::status::*;

use crate::fixture::{Person, TestUsers};

const PATH: &str = "/api/users/addresses";

fn address(line1: &str) -> Value {
    json!({
        "name": "Ada Lovelace", "line1": line1, "city": "Springfield", "state": "OR",
        "postalCode": "97477", "country": "US"
    })
}

async fn add(users: &TestUsers, person: &Person, body: &Value) -> String {
    let reply = users.add_address(person, body).await;
    let id = reply.body["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), Some(&*format!("{PATH}/{id}")));
    id
}

async fn list(users: &TestUsers, person: &Person) -> Vec<Value> {
    let reply = users.client_of(person).get(PATH, OK).await;
    reply.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn addresses_are_added_changed_and_removed_and_one_is_the_default() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    assert!(list(&users, &ada).await.is_empty());
    let one = add(&users, &ada, &address("1 Lamp Street")).await;
    let two = add(&users, &ada, &address("2 Lamp Street")).await;
    let mut shown = address("1 Lamp Street");
    shown["id"] = json!(one);
    shown["isDefault"] = json!(true);
    assert_eq!(list(&users, &ada).await[0], shown);
    let mut body = address("3 Lamp Street");
    body["isDefault"] = json!(true);
    let client = users.client_of(&ada);
    let reply = client.put(&format!("{PATH}/{two}"), &body, OK).await;
    assert_eq!(reply.body["data"]["line1"], "3 Lamp Street");
    let defaults = async || -> Vec<bool> {
        let all = list(&users, &ada).await;
        all.iter()
            .map(|entry| entry["isDefault"].as_bool().unwrap())
            .collect()
    };
    assert_eq!(defaults().await, [false, true]);
    let client = users.client_of(&ada);
    client.delete(&format!("{PATH}/{two}"), OK).await;
    assert_eq!(defaults().await, [true]);
    client.delete(&format!("{PATH}/{two}"), NOT_FOUND).await;
    client.delete(&format!("{PATH}/{one}"), OK).await;
    assert!(list(&users, &ada).await.is_empty());
}

#[tokio::test]
async fn only_the_owner_of_an_address_book_can_use_it() {
    let users = TestUsers::new().await;
    let (ada, bob) = (
        users.register("ada@example.com").await,
        users.register("bob@example.com").await,
    );
    let path = format!(
        "{PATH}/{}",
        add(&users, &ada, &address("1 Lamp Street")).await
    );
    users
        .client_of(&bob)
        .put(&path, &address("x"), NOT_FOUND)
        .await;
    users.client_of(&bob).delete(&path, NOT_FOUND).await;
    assert!(list(&users, &bob).await.is_empty());
    users.client().get(PATH, UNAUTHORIZED).await;
    users
        .internal_client()
        .post(PATH, &address("x"), FORBIDDEN)
        .await;
    assert_eq!(list(&users, &ada).await[0]["line1"], "1 Lamp Street");
}

#[tokio::test]
async fn concurrent_additions_are_all_kept_and_twenty_addresses_are_the_limit() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let lines: Vec<String> = (0..4).map(|n| format!("{n} Lamp Street")).collect();
    let bodies: Vec<Value> = lines.iter().map(|line| address(line)).collect();
    join_all(bodies.iter().map(|body| add(&users, &ada, body))).await;
    assert_eq!(list(&users, &ada).await.len(), 4);
    for n in 4..20 {
        add(&users, &ada, &address(&format!("{n} Lamp Street"))).await;
    }
    let client = users.client_of(&ada);
    let reply = client.post(PATH, &address("x"), CONFLICT).await;
    assert_eq!(reply.body["code"], "too_many_addresses");
}

#[tokio::test]
async fn an_address_that_is_sent_again_is_stored_once() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let one = add(&users, &ada, &address("1 Lamp Street")).await;
    let two = add(&users, &ada, &address("2 Lamp Street")).await;
    let client = users.client_of(&ada);
    let again = client.post(PATH, &address("2 Lamp Street"), OK).await;
    assert_eq!(again.body["data"]["id"], two.as_str());
    assert_eq!(again.body["data"]["isDefault"], false);
    let mut body = address("2 Lamp Street");
    body["isDefault"] = json!(true);
    let again = client.post(PATH, &body, OK).await;
    assert_eq!(again.body["data"]["isDefault"], true);
    let entries = list(&users, &ada).await;
    let ids: Vec<_> = entries.iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, [json!(one), json!(two)]);
    // Of concurrent requests, one adds it and the others return the same entry.
    let body = address("3 Lamp Street").to_string();
    let posts = (0..4).map(|_| client.exchange(http::Method::POST, PATH, Some(body.clone())));
    let replies = join_all(posts).await;
    let created = replies.iter().filter(|reply| reply.status == CREATED);
    assert_eq!(created.count(), 1);
    for reply in &replies {
        assert_eq!(reply.body["data"]["id"], replies[0].body["data"]["id"]);
    }
    assert_eq!(list(&users, &ada).await.len(), 3);
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let users = TestUsers::new().await;
    let ada = users.register("ada@example.com").await;
    let body =
        json!({"name": "", "line1": "a\nb", "country": "XX", "isDefault": 1, "planet": "Earth"});
    let client = users.client_of(&ada);
    let reply = client.post(PATH, &body, UNPROCESSABLE_ENTITY).await;
    let mut fields = reply.invalid_fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "/city",
            "/country",
            "/isDefault",
            "/line1",
            "/name",
            "/planet",
            "/postalCode"
        ]
    );
}
