use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::status::*;

use crate::shop::{Person, Shop};

const PATH: &str = "/api/users/addresses";

fn address(line1: &str) -> Value {
    json!({
        "name": "Ada Lovelace", "line1": line1, "city": "Springfield", "state": "OR",
        "postalCode": "97477", "country": "US"
    })
}

async fn add(shop: &Shop, person: &Person, body: &Value) -> String {
    let reply = person
        .client(&shop.add_address)
        .post(PATH, body, CREATED)
        .await;
    let id = reply.body["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), Some(&*format!("{PATH}/{id}")));
    id
}

async fn list(shop: &Shop, person: &Person) -> Vec<Value> {
    let reply = person.client(&shop.list_addresses).get(PATH, OK).await;
    reply.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn addresses_are_added_changed_and_removed_and_one_is_the_default() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    assert!(list(&shop, &ada).await.is_empty());
    let one = add(&shop, &ada, &address("1 Lamp Street")).await;
    let two = add(&shop, &ada, &address("2 Lamp Street")).await;
    let mut shown = address("1 Lamp Street");
    shown["id"] = json!(one);
    shown["isDefault"] = json!(true);
    assert_eq!(list(&shop, &ada).await[0], shown);
    let mut body = address("3 Lamp Street");
    body["isDefault"] = json!(true);
    let client = ada.client(&shop.change_address);
    let reply = client.put(&format!("{PATH}/{two}"), &body, OK).await;
    assert_eq!(reply.body["data"]["line1"], "3 Lamp Street");
    let defaults = async || -> Vec<bool> {
        let all = list(&shop, &ada).await;
        all.iter()
            .map(|entry| entry["isDefault"].as_bool().unwrap())
            .collect()
    };
    assert_eq!(defaults().await, [false, true]);
    let client = ada.client(&shop.remove_address);
    client.delete(&format!("{PATH}/{two}"), OK).await;
    assert_eq!(defaults().await, [true]);
    client.delete(&format!("{PATH}/{two}"), NOT_FOUND).await;
    client.delete(&format!("{PATH}/{one}"), OK).await;
    assert!(list(&shop, &ada).await.is_empty());
}

#[tokio::test]
async fn a_book_is_its_owners_and_nobody_elses() {
    let shop = Shop::open().await;
    let (ada, bob) = (
        shop.register("ada@example.com").await,
        shop.register("bob@example.com").await,
    );
    let path = format!(
        "{PATH}/{}",
        add(&shop, &ada, &address("1 Lamp Street")).await
    );
    bob.client(&shop.change_address)
        .put(&path, &address("x"), NOT_FOUND)
        .await;
    bob.client(&shop.remove_address)
        .delete(&path, NOT_FOUND)
        .await;
    assert!(list(&shop, &bob).await.is_empty());
    shop.list_addresses.get(PATH, UNAUTHORIZED).await;
    shop.add_address
        .as_internal()
        .post(PATH, &address("x"), FORBIDDEN)
        .await;
    assert_eq!(list(&shop, &ada).await[0]["line1"], "1 Lamp Street");
}

#[tokio::test]
async fn twenty_is_the_limit_and_those_added_at_once_are_all_kept() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let lines: Vec<String> = (0..4).map(|n| format!("{n} Lamp Street")).collect();
    let bodies: Vec<Value> = lines.iter().map(|line| address(line)).collect();
    join_all(bodies.iter().map(|body| add(&shop, &ada, body))).await;
    assert_eq!(list(&shop, &ada).await.len(), 4);
    for n in 4..20 {
        add(&shop, &ada, &address(&format!("{n} Lamp Street"))).await;
    }
    let client = ada.client(&shop.add_address);
    let reply = client.post(PATH, &address("x"), CONFLICT).await;
    assert_eq!(reply.body["code"], "too_many_addresses");
}

#[tokio::test]
async fn an_address_that_is_sent_again_after_a_lost_reply_is_there_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let one = add(&shop, &ada, &address("1 Lamp Street")).await;
    let two = add(&shop, &ada, &address("2 Lamp Street")).await;
    let client = ada.client(&shop.add_address);
    let again = client.post(PATH, &address("2 Lamp Street"), OK).await;
    assert_eq!(again.body["data"]["id"], two.as_str());
    assert_eq!(again.body["data"]["isDefault"], false);
    let mut body = address("2 Lamp Street");
    body["isDefault"] = json!(true);
    let again = client.post(PATH, &body, OK).await;
    assert_eq!(again.body["data"]["isDefault"], true);
    let ids: Vec<Value> = list(&shop, &ada).await;
    let ids: Vec<_> = ids.iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, [json!(one), json!(two)]);
    // Of many at once, one adds it; the others are shown that one.
    let body = address("3 Lamp Street").to_string();
    let posts = (0..4).map(|_| client.exchange(http::Method::POST, PATH, Some(body.clone())));
    let replies = join_all(posts).await;
    let made = replies.iter().filter(|reply| reply.status == CREATED);
    assert_eq!(made.count(), 1);
    for reply in &replies {
        assert_eq!(reply.body["data"]["id"], replies[0].body["data"]["id"]);
    }
    assert_eq!(list(&shop, &ada).await.len(), 3);
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    let shop = Shop::open().await;
    let ada = shop.register("ada@example.com").await;
    let body =
        json!({"name": "", "line1": "a\nb", "country": "XX", "isDefault": 1, "planet": "Earth"});
    let client = ada.client(&shop.add_address);
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
