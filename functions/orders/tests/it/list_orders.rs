//! `GET /api/orders`.

use kernel::{OrderId, Role, UserId};
use testkit::{Reply, new_id, status::*};

use crate::fixture::{PATH, TestOrders};

fn ids(reply: &Reply) -> Vec<OrderId> {
    let items = reply.body["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn the_callers_orders_are_listed_newest_first_page_by_page() {
    let orders = TestOrders::new().await;
    let (ada, bob): (UserId, UserId) = (new_id(), new_id());
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(orders.place(ada).await.order.order_id);
        orders.place(bob).await;
    }
    placed.reverse();

    let (ada, bob) = (orders.client_of(ada), orders.client_of(bob));
    let all = ada.get(PATH, OK).await;
    assert_eq!(ids(&all), placed);
    assert_eq!(all.body["meta"]["pagination"]["limit"], 20);
    assert_eq!(all.body["meta"]["pagination"]["hasMore"], false);
    assert_eq!(all.body["data"][0]["totalAmount"], 20.0);

    for limit in 1..=5 {
        let (mut listed, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = ada.get(&format!("{PATH}{query}"), OK).await;
            assert!(ids(&page).len() <= limit);
            listed.extend(ids(&page));
            let pagination = &page.body["meta"]["pagination"];
            let Some(cursor) = pagination["nextCursor"].as_str() else {
                assert_eq!(pagination["hasMore"], false);
                break;
            };
            assert_eq!(pagination["hasMore"], true);
            query = format!("?limit={limit}&cursor={cursor}");
            if listed.len() == limit {
                // A cursor is sealed for its list, so it is invalid in another user's.
                let path = format!("{PATH}{query}");
                let reply = bob.get(&path, UNPROCESSABLE_ENTITY).await;
                assert_eq!(reply.invalid_fields(), ["cursor"]);
            }
        }
        assert_eq!(listed, placed, "limit {limit}");
    }
}

#[tokio::test]
async fn a_user_without_orders_gets_an_empty_list() {
    let orders = TestOrders::new().await;
    orders.place(new_id()).await;
    let client = orders.client();
    let reply = client.as_user(new_id(), Role::Admin).get(PATH, OK).await;
    assert!(ids(&reply).is_empty());
    client.get(PATH, UNAUTHORIZED).await;
    client.as_internal().get(PATH, FORBIDDEN).await;
}

#[tokio::test]
async fn an_invalid_query_is_rejected_by_field() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=AAAA", "cursor"),
        ("user=somebody", "user"),
    ] {
        let path = format!("{PATH}?{query}");
        let reply = client.get(&path, UNPROCESSABLE_ENTITY).await;
        assert_eq!(reply.invalid_fields(), [field], "{query}");
    }
}
