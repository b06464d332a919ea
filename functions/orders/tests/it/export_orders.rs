//! `export-orders`: a user's orders, for the export of their account.

use std::collections::BTreeSet;

use contracts::calls::{ExportOrders, ExportedOrders};
use kernel::{OrderId, UserId};
use testkit::new_id;

use crate::fixture::TestOrders;

async fn export(orders: &TestOrders, user_id: UserId, after: Option<OrderId>) -> ExportedOrders {
    let handler = orders.function("export-orders").await;
    let call = ExportOrders {
        user_id,
        after,
        correlation_id: "test-correlation".into(),
    };
    testkit::call(&handler, &call).await.unwrap()
}

#[tokio::test]
async fn every_order_of_the_user_is_exported_with_its_history_and_no_other() {
    let orders = TestOrders::with(&[
        ("OPEN_ORDERS_PER_PERSON", "1000"),
        ("ORDERS_PER_MINUTE", "1000"),
    ])
    .await;
    let user: UserId = new_id();
    orders.place(new_id()).await;
    let mut placed = BTreeSet::new();
    for _ in 0..45 {
        placed.insert(orders.place(user).await.order.order_id.to_string());
    }
    let (mut exported, mut payments, mut after, mut pages) = (vec![], vec![], None, 0);
    loop {
        let page = export(&orders, user, after).await;
        assert_eq!(page.orders.len(), page.payment_ids.len());
        exported.extend(page.orders);
        payments.extend(page.payment_ids);
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
        assert!(pages < 10);
    }
    assert_eq!((exported.len(), pages), (45, 3));
    let id = |order: &serde_json::Value| order["id"].as_str().unwrap().to_owned();
    assert_eq!(exported.iter().map(id).collect::<BTreeSet<_>>(), placed);
    for (order, payment) in exported.iter().zip(payments) {
        assert_eq!(order["paymentId"], payment.to_string());
        assert_eq!(order["shippingAddress"]["name"], "Ada Lovelace");
        assert_eq!(order["history"][0]["type"], "order.placed");
    }
}

#[tokio::test]
async fn the_export_of_a_user_without_orders_is_empty() {
    let orders = TestOrders::new().await;
    let page = export(&orders, new_id(), None).await;
    assert!(page.orders.is_empty() && page.payment_ids.is_empty() && page.next.is_none());
}
