//! Cancelling an order by hand.

use orders::{CancelError, cancel_order, domain::CancelOrderError};
use serde_json::json;
use testkit::{LostReplies, new_id};

use crate::fixture::TestOrders;

/// Whichever reply of the store is lost, the order is cancelled once, and whoever
/// asked learns that it is.
#[tokio::test]
async fn an_order_is_cancelled_once_whatever_reply_is_lost() {
    // Placing an order makes some writes; those of the cancellation come after them.
    for first in 0..16 {
        let losses = LostReplies::every(1_000, first);
        let orders = TestOrders::losing(&losses).await;
        let order = orders.place(new_id()).await.order;
        let store = orders.store_of_functions().await;
        let host = orders.table.host();
        let cancelled = cancel_order(&store, host, order.order_id).await.unwrap();
        assert_eq!(
            cancelled.status_reason.as_deref(),
            Some("cancelled_by_shop")
        );
        assert_eq!(
            orders.history_types(order.order_id).await,
            ["order.placed", "order.cancelled"],
            "write {first}"
        );
        orders.assert_snapshot_is_the_fold(order.order_id).await;
        let again = cancel_order(&store, host, order.order_id).await;
        assert!(
            matches!(again, Err(CancelError::Refused(CancelOrderError::Ended))),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_order_no_longer_counts_as_open() {
    let orders = TestOrders::new().await;
    let order = orders.place(new_id()).await.order;
    let open = async || {
        let holders: Vec<serde_json::Value> = orders.table.items_of("HOLDER#", "HOLDER").await;
        let open = holders.iter().filter(|holder| !holder["open"].is_null());
        open.count()
    };
    assert_eq!(open().await, 3);
    let host = orders.table.host();
    cancel_order(&orders.store(), host, order.order_id)
        .await
        .unwrap();
    assert_eq!(open().await, 0);
    let snapshot = &orders.snapshots().await[0];
    assert_eq!(
        snapshot["open_shard"],
        json!(null),
        "it is in the index of open orders"
    );
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_not_cancelled() {
    let orders = TestOrders::new().await;
    let missing = cancel_order(&orders.store(), orders.table.host(), new_id()).await;
    assert!(matches!(missing, Err(CancelError::NotFound(_))));
}
