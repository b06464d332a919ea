//! `anonymise-orders`: the person is removed, the orders stay.

use std::time::Duration;

use contracts::events::{PaymentAuthorized, UserErased, UserReactivated};
use dynamo::Expression;
use kernel::{OrderId, UserId};
use serde_json::{Value, json};
use testkit::{deliver, new_id};

use crate::fixture::TestOrders;

fn without_address(mut order: Value) -> Value {
    order.as_object_mut().unwrap().remove("shipping_address");
    order
}

#[tokio::test]
async fn the_personal_data_is_removed_and_the_order_stays() {
    let orders = TestOrders::new().await;
    let (ada, eve): (UserId, UserId) = (new_id(), new_id());
    let (adas, eves) = (orders.place(ada).await, orders.place(eve).await);
    let before = orders.snapshots().await;
    let history = orders.history(adas.order.order_id).await;
    let events = [
        orders.event(&UserReactivated { user_id: eve }),
        orders.event(&UserErased { user_id: ada }),
    ];
    let consumer = orders.function("anonymise-orders").await;
    for _ in 0..2 {
        assert!(deliver(&consumer, &events).await.is_empty());
    }

    let found = orders.find(adas.order.order_id).await;
    assert!(found.is_anonymous());
    assert_eq!(found.order, adas.order);
    let address = serde_json::to_value(&found.shipping_address).unwrap();
    let expected = json!({
        "name": "-", "line1": "-", "city": "London", "postalCode": "-", "country": "GB"
    });
    assert_eq!(address, expected);
    assert_eq!(orders.find(eves.order.order_id).await, eves);
    let after = orders.snapshots().await;
    let items = format!("{after:?}");
    assert_eq!(items.matches("Ada Lovelace").count(), 1, "{items}");
    let stripped =
        |orders: Vec<Value>| -> Vec<Value> { orders.into_iter().map(without_address).collect() };
    assert_eq!(stripped(before), stripped(after));
    assert_eq!(orders.history(adas.order.order_id).await, history);
}

#[tokio::test]
async fn all_orders_of_more_than_one_page_are_anonymised() {
    let orders = TestOrders::with(&[
        ("OPEN_ORDERS_PER_PERSON", "1000"),
        ("ORDERS_PER_MINUTE", "1000"),
    ])
    .await;
    let user_id: UserId = new_id();
    for _ in 0..103 {
        orders.place(user_id).await;
    }
    let erased = orders.event(&UserErased { user_id });
    let consumer = orders.function("anonymise-orders").await;
    assert!(deliver(&consumer, &[erased]).await.is_empty());
    let snapshots = orders.snapshots().await;
    assert_eq!(snapshots.len(), 103);
    for order in snapshots {
        assert_eq!(order["shipping_address"]["name"], "-");
    }
}

#[tokio::test]
async fn a_concurrent_transition_and_anonymisation_both_take_effect() {
    let orders = TestOrders::new().await;
    let user_id: UserId = new_id();
    let order = orders.place(user_id).await.order;
    let id = order.order_id;
    let authorized = [orders.event(&PaymentAuthorized {
        payment_id: order.payment_id,
        order_id: id,
        amount: order.total,
    })];
    let erased = [orders.event(&UserErased { user_id })];
    let advance = orders.function("advance-orders").await;
    let anonymise = orders.function("anonymise-orders").await;
    let (advancing, anonymising) =
        tokio::join!(deliver(&advance, &authorized), deliver(&anonymise, &erased));
    assert!(advancing.is_empty() && anonymising.is_empty());
    assert!(orders.find(id).await.is_anonymous());
    let types = orders.history_types(id).await;
    assert_eq!(types, ["order.placed", "order.authorized"]);
    orders.assert_snapshot_is_the_fold(id).await;
}

/// How many pages of a hundred orders a person has.
const PAGES: usize = 12;

#[tokio::test]
async fn a_run_that_times_out_is_continued_and_not_begun_again() {
    let mut orders = TestOrders::new().await;
    let user_id: UserId = new_id();
    orders.place(user_id).await;
    let [first] = &orders.snapshots().await[..] else {
        panic!("one order");
    };
    for _ in 1..100 * PAGES {
        let (id, mut copy): (OrderId, _) = (new_id(), first.clone());
        copy["pk"] = format!("ORDER#{id}").into();
        copy["order_id"] = json!(id);
        let table = orders.table.table();
        table.put(&copy, Expression::default()).await.unwrap();
    }
    let erased = [orders.event(&UserErased { user_id })];
    let calls = orders.table.slow_down(Duration::from_millis(2)).await;
    let mut attempts = 1;
    loop {
        assert!(
            attempts < PAGES,
            "no attempt gets further than the one before it"
        );
        // A new process each time, as after a time-out.
        let consumer = orders.new_instance("anonymise-orders").await;
        let read = calls.all("BatchGetItem");
        let timeout = async {
            while calls.all("BatchGetItem") < read + 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            failed = deliver(&consumer, &erased) => {
                assert!(failed.is_empty());
                break;
            }
            () = timeout => attempts += 1,
        }
    }
    assert!(attempts > 2, "{attempts}");
    // Each attempt reads the page again at which the one before it ended.
    let pages = calls.all("BatchGetItem");
    assert!(
        pages < PAGES + attempts,
        "{pages} pages in {attempts} attempts"
    );
    for order in orders.snapshots().await {
        assert_eq!(order["shipping_address"]["name"], "-");
    }
    let notes: Vec<Value> = orders.table.items_of("ANONYMISING#", "ANONYMISING").await;
    assert_eq!(notes, Vec::<Value>::new(), "nothing of the person is left");
}
