//! `GET /api/orders`.

use kernel::{OrderId, UserId};
use orders::api::list_orders;
use kernel::Role;
use testkit::{Client, Reply, status::*};

use crate::shop::Shop;

fn ids(reply: &Reply) -> Vec<OrderId> {
    let items = reply.body["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_persons_orders_are_listed_newest_first_page_by_page() {
    let shop = Shop::open().await;
    let (ada, bob) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(shop.order(ada).await.order.order_id);
        shop.order(bob).await;
    }
    placed.reverse();

    let client = Client::new(shop.table.start(&list_orders::function()).await);
    let (ada, bob) = (
        client.as_user(ada, Role::User),
        client.as_user(bob, Role::User),
    );
    let whole = ada.get("/api/orders", OK).await;
    assert_eq!(ids(&whole), placed);
    assert_eq!(whole.body["meta"]["pagination"]["limit"], 20);
    assert_eq!(whole.body["meta"]["pagination"]["hasMore"], false);
    assert_eq!(whole.body["data"][0]["totalAmount"], 20.0);

    for limit in 1..=5 {
        let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = ada.get(&format!("/api/orders{query}"), OK).await;
            assert!(ids(&page).len() <= limit);
            seen.extend(ids(&page));
            let pagination = &page.body["meta"]["pagination"];
            let Some(cursor) = pagination["nextCursor"].as_str() else {
                assert_eq!(pagination["hasMore"], false);
                break;
            };
            assert_eq!(pagination["hasMore"], true);
            query = format!("?limit={limit}&cursor={cursor}");
            if seen.len() == limit {
                // Sealed for its list: nobody else may use it.
                let refused = bob
                    .get(&format!("/api/orders{query}"), UNPROCESSABLE_ENTITY)
                    .await;
                assert_eq!(refused.invalid_fields(), ["cursor"]);
            }
        }
        assert_eq!(seen, placed, "limit {limit}");
    }
}

#[tokio::test]
async fn whoever_has_no_orders_has_an_empty_list() {
    let shop = Shop::open().await;
    shop.order(testkit::new_id::<UserId>()).await;
    let client = Client::new(shop.table.start(&list_orders::function()).await);
    let reply = client
        .as_user(testkit::new_id::<UserId>(), Role::Admin)
        .get("/api/orders", OK)
        .await;
    assert!(ids(&reply).is_empty());
    client.get("/api/orders", UNAUTHORIZED).await;
    client.as_internal().get("/api/orders", FORBIDDEN).await;
}

#[tokio::test]
async fn a_query_that_is_not_one_is_refused_by_field() {
    let shop = Shop::open().await;
    let client = Client::new(shop.table.start(&list_orders::function()).await);
    let client = client.as_user(testkit::new_id::<UserId>(), Role::User);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=AAAA", "cursor"),
        ("user=somebody", "user"),
    ] {
        let reply = client
            .get(&format!("/api/orders?{query}"), UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), [field], "{query}");
    }
}
