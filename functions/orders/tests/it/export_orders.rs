//! What the service holds on a person, for the person.

use std::collections::BTreeSet;

use contracts::calls::{ExportOrders, ExportedOrders};
use kernel::{OrderId, UserId};
use orders::api::export_orders;

use crate::shop::Shop;

async fn ask(shop: &Shop, user_id: UserId, after: Option<OrderId>) -> ExportedOrders {
    let handler = shop.table.start(&export_orders::function()).await;
    let call = ExportOrders {
        user_id,
        after,
        correlation_id: "export-1".into(),
    };
    testkit::call(&handler, &call).await.unwrap()
}

#[tokio::test]
async fn a_person_gets_every_order_with_its_steps_and_nobody_elses() {
    let shop = Shop::open().await;
    let (ada, eve) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    shop.order(eve).await;
    let mut placed = BTreeSet::new();
    for _ in 0..45 {
        placed.insert(shop.order(ada).await.order.order_id.to_string());
    }
    let (mut found, mut payments, mut after, mut pages) = (vec![], vec![], None, 0);
    loop {
        let page = ask(&shop, ada, after).await;
        assert_eq!(page.orders.len(), page.payment_ids.len());
        found.extend(page.orders);
        payments.extend(page.payment_ids);
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
        assert!(pages < 10);
    }
    assert_eq!((found.len(), pages), (45, 3));
    let text = |order: &serde_json::Value| order["id"].as_str().unwrap().to_owned();
    assert_eq!(found.iter().map(text).collect::<BTreeSet<_>>(), placed);
    for (order, payment) in found.iter().zip(payments) {
        assert_eq!(order["paymentId"], payment.to_string());
        assert_eq!(order["shippingAddress"]["name"], "Ada Lovelace");
        assert_eq!(order["history"][0]["type"], "order.placed");
    }
}

#[tokio::test]
async fn nobody_has_nothing() {
    let shop = Shop::open().await;
    let page = ask(&shop, testkit::new_id::<UserId>(), None).await;
    assert!(page.orders.is_empty() && page.payment_ids.is_empty() && page.next.is_none());
}
