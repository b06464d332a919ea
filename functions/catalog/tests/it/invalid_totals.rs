//! Goods that no order can have together, because of their prices.

use contracts::{
    OrderTotalError,
    calls::{ReserveStock, StockReservation},
};
use kernel::{OrderId, ProductId};
use serde_json::json;
use testkit::new_id;

use crate::fixture::{TestCatalog, quantities};

async fn product(catalog: &TestCatalog, price: u64, currency: &str) -> ProductId {
    let product = json!({
        "name": "Lamp", "price": price, "currency": currency, "stock": 1_000,
    });
    catalog.product_of(product).await
}

async fn assert_nothing_is_reserved(catalog: &TestCatalog, lines: &[(ProductId, u32)]) {
    assert!(catalog.reservations().await.is_empty());
    for (product, _) in lines {
        assert_eq!(catalog.stock(*product).await, 1_000);
        assert_eq!(catalog.held_unverified(*product).await, 0);
    }
    // The next buyer gets all of it.
    catalog.hold(&[(lines[0].0, 1_000)]).await;
}

#[tokio::test]
async fn lines_in_two_currencies_are_refused_and_reserve_nothing() {
    let catalog = TestCatalog::new().await;
    let dollars = product(&catalog, 10, "USD").await;
    let euros = product(&catalog, 10, "EUR").await;
    let lines = [(dollars, 300), (euros, 300)];
    let expected = StockReservation::InvalidTotal {
        error: OrderTotalError::MixedCurrencies { line: 1 },
    };
    for _ in 0..2 {
        assert_eq!(catalog.reserve(new_id(), &lines).await, expected);
        // Verifying the address would not help, so it is not asked for.
        let reply = catalog.reserve_unverified(new_id(), &lines).await;
        assert_eq!(reply, expected);
    }
    assert_nothing_is_reserved(&catalog, &lines).await;
}

#[tokio::test]
async fn a_total_over_the_maximum_is_refused_and_reserves_nothing() {
    let catalog = TestCatalog::new().await;
    let lines = [(product(&catalog, 600_000_000, "USD").await, 2)];
    let expected = StockReservation::InvalidTotal {
        error: OrderTotalError::TooLarge,
    };
    assert_eq!(catalog.reserve(new_id(), &lines).await, expected);
    let cheap = [(product(&catalog, 1_000_000, "USD").await, 1_000)];
    catalog.hold(&cheap).await;
    let lines = [
        (lines[0].0, 1),
        (product(&catalog, 500_000_000, "USD").await, 1),
    ];
    assert_eq!(catalog.reserve(new_id(), &lines).await, expected);
    let reservations = catalog.reservations().await;
    assert_eq!(reservations.len(), 1, "{reservations:?}");
    assert_eq!(catalog.stock(lines[0].0).await, 1_000);
}

#[tokio::test]
async fn a_shortage_is_reported_before_an_invalid_total() {
    let catalog = TestCatalog::new().await;
    let dollars = product(&catalog, 10, "USD").await;
    let euros = product(&catalog, 10, "EUR").await;
    let lines = [(dollars, 1_001), (euros, 1)];
    let reply = catalog.reserve(new_id(), &lines).await;
    assert!(
        matches!(reply, StockReservation::Refused { .. }),
        "{reply:?}"
    );
}

/// It would not understand the refusal. The goods that it got so are still its
/// order's when it has been replaced by one that would.
#[tokio::test]
async fn an_older_caller_gets_the_goods_and_a_repeated_call_its_first_reply() {
    let catalog = TestCatalog::new().await;
    let dollars = product(&catalog, 10, "USD").await;
    let euros = product(&catalog, 10, "EUR").await;
    let lines = [(dollars, 1), (euros, 1)];
    let order_id: OrderId = new_id();
    let call = json!({
        "orderId": order_id, "lines": quantities(&lines), "correlationId": "chain",
    });
    let call: ReserveStock = serde_json::from_value(call).unwrap();
    let first = catalog.call_reserve(&call).await.unwrap();
    assert!(matches!(first, StockReservation::Held { .. }), "{first:?}");
    assert_eq!(catalog.reserve(order_id, &lines).await, first);
    assert_eq!(catalog.stock(dollars).await, 999);
}
