//! How long reservations stay.

use kernel::{OrderId, SignedDuration};
use serde_json::Value;

use crate::fixture::TestCatalog;

async fn days_left(catalog: &TestCatalog, order_id: OrderId) -> Option<i64> {
    let items: Vec<Value> = catalog.table.items_of("RESERVATION#", "RESERVATION").await;
    let id = format!("RESERVATION#{order_id}");
    let item = items.into_iter().find(|item| item["pk"] == id).unwrap();
    let now = catalog.table.clock().now().as_second();
    Some((item["expires_at"].as_i64()? - now) / 86_400)
}

#[tokio::test]
async fn a_reservation_stays_while_it_is_held_and_ends_years_after_its_goods_were_sold() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let (sold, released) = (
        catalog.hold(&[(lamp, 1)]).await,
        catalog.hold(&[(lamp, 1)]).await,
    );
    assert_eq!(days_left(&catalog, sold).await, None);
    catalog.advance(SignedDuration::from_secs(60));
    let events = [catalog.authorized(sold), catalog.cancelled(released)];
    catalog.settle(&events).await;
    assert_eq!(days_left(&catalog, sold).await, Some(3 * 366));
    assert_eq!(days_left(&catalog, released).await, Some(30));
}
