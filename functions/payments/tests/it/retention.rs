//! How long payments stay.

use kernel::PaymentId;
use serde_json::Value;

use crate::fixture::TestPayments;

/// Longer than accounts are kept.
const DAYS: i64 = 11 * 366;

async fn days_left(payments: &TestPayments, id: PaymentId) -> Option<i64> {
    let items: Vec<Value> = payments.table.items_of("PAYMENT#", "PAYMENT").await;
    let id = format!("PAYMENT#{id}");
    let item = items.into_iter().find(|item| item["pk"] == id).unwrap();
    let now = payments.table.clock().now().as_second();
    Some((item["expires_at"].as_i64()? - now) / 86_400)
}

#[tokio::test]
async fn a_payment_stays_until_its_end_and_for_as_long_after_it_as_accounts_are_kept() {
    let payments = TestPayments::new().await;
    let captured = payments.order("pm_card_visa");
    payments.process(&[&captured.placed]).await;
    assert_eq!(days_left(&payments, captured.payment_id).await, None);
    payments.process(&[&captured.committed]).await;
    assert_eq!(days_left(&payments, captured.payment_id).await, Some(DAYS));

    let voided = payments.order("pm_card_visa");
    payments.process(&[&voided.placed, &voided.cancelled]).await;
    assert_eq!(days_left(&payments, voided.payment_id).await, Some(DAYS));

    let declined = payments.order("pm_card_chargeDeclined");
    payments.process(&[&declined.placed]).await;
    assert_eq!(days_left(&payments, declined.payment_id).await, Some(DAYS));

    let never_asked = payments.order("pm_card_visa");
    payments.process(&[&never_asked.cancelled]).await;
    let left = days_left(&payments, never_asked.payment_id).await;
    assert_eq!(left, Some(DAYS));
}
