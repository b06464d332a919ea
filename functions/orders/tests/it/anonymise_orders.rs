//! Who was erased is taken out of their orders, and the orders stay.

use contracts::{
    Envelope,
    events::{UserErased, UserReactivated},
};
use kernel::UserId;
use orders::events::anonymise_orders;
use serde_json::{Value, json};

use crate::shop::Shop;

/// Delivers events; gives the numbers of those that failed.
async fn deliver(shop: &Shop, events: &[Envelope]) -> Vec<usize> {
    let consumer = shop.table.start(&anonymise_orders::function()).await;
    testkit::deliver(&consumer, events).await
}

fn without_address(mut order: Value) -> Value {
    order.as_object_mut().unwrap().remove("shipping_address");
    order
}

#[tokio::test]
async fn the_person_goes_and_the_order_stays() {
    let shop = Shop::open().await;
    let (ada, eve) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    let (of_ada, of_eve) = (shop.order(ada).await, shop.order(eve).await);
    let before = shop.orders().await;
    let history = shop.history(of_ada.order.order_id).await;
    let erased = shop.says(&UserErased { user_id: ada });
    let other = shop.says(&UserReactivated { user_id: eve });
    let events = [other, erased];
    assert!(deliver(&shop, &events).await.is_empty());
    assert!(deliver(&shop, &events).await.is_empty(), "and again");

    let found = shop.find(of_ada.order.order_id).await;
    assert!(found.is_anonymous());
    assert_eq!(found.order, of_ada.order);
    let address = serde_json::to_value(&found.shipping_address).unwrap();
    let expected = json!({
        "name": "-", "line1": "-", "city": "London", "postalCode": "-", "country": "GB"
    });
    assert_eq!(address, expected);
    assert_eq!(shop.find(of_eve.order.order_id).await, of_eve);
    let after = shop.orders().await;
    let stripped =
        |orders: Vec<Value>| -> Vec<Value> { orders.into_iter().map(without_address).collect() };
    assert_eq!(stripped(before), stripped(after));
    assert_eq!(shop.history(of_ada.order.order_id).await, history);
    let items = format!(
        "{:?}",
        shop.table.items_of::<Value>("ORDER#", "ORDER").await
    );
    assert_eq!(items.matches("Ada Lovelace").count(), 1, "{items}");
}

#[tokio::test]
async fn more_orders_than_a_page_are_all_done_and_none_twice() {
    let shop = Shop::open().await;
    let ada = testkit::new_id::<UserId>();
    for _ in 0..103 {
        shop.order(ada).await;
    }
    let erased = shop.says(&UserErased { user_id: ada });
    assert!(
        deliver(&shop, std::slice::from_ref(&erased))
            .await
            .is_empty()
    );
    let orders = shop.orders().await;
    assert_eq!(orders.len(), 103);
    for order in orders {
        assert_eq!(order["shipping_address"]["name"], "-");
    }
}

#[tokio::test]
async fn an_order_that_moves_on_meanwhile_keeps_both() {
    let shop = Shop::open().await;
    let ada = testkit::new_id::<UserId>();
    let placed = shop.order(ada).await;
    let id = placed.order.order_id;
    let authorized = shop.says(&contracts::events::PaymentAuthorized {
        payment_id: placed.order.payment_id,
        order_id: id,
        amount: placed.order.total,
    });
    let advance = shop.advance_orders().await;
    let erased = [shop.says(&UserErased { user_id: ada })];
    let paid = [authorized];
    let (failed, also) = tokio::join!(testkit::deliver(&advance, &paid), deliver(&shop, &erased));
    assert!(failed.is_empty() && also.is_empty());
    assert!(shop.find(id).await.is_anonymous());
    let types = shop.history_types(id).await;
    assert_eq!(types, ["order.placed", "order.authorized"]);
    shop.assert_snapshot_is_the_fold(id).await;
}
