use contracts::calls::{ExportPayments, ExportedPayments};
use kernel::{PaymentId, UserId};
use runtime::Error;

use crate::fixture::TestPayments;

async fn export(
    payments: &TestPayments,
    user_id: UserId,
    payment_ids: Vec<PaymentId>,
) -> Result<ExportedPayments, Error> {
    let call = ExportPayments {
        user_id,
        payment_ids,
        correlation_id: "export-1".into(),
    };
    let function = payments.function("export-payments").await;
    testkit::call(&function, &call).await
}

#[tokio::test]
async fn an_export_contains_only_the_users_own_payments() {
    let payments = TestPayments::new().await;
    let own = payments.order("pm_card_visa");
    let other = payments.order("pm_card_visa");
    payments.process(&[&own.placed, &other.placed]).await;
    let requested = vec![other.payment_id, own.payment_id, testkit::new_id()];
    let exported = export(&payments, own.user_id, requested).await.unwrap();
    assert_eq!(exported.payments.len(), 1);
    assert_eq!(exported.payments[0]["id"], own.payment_id.to_string());
    assert_eq!(exported.payments[0]["amount"], 39.98);
    let none = export(&payments, own.user_id, vec![]).await.unwrap();
    assert!(none.payments.is_empty());
}

#[tokio::test]
async fn a_call_for_more_than_a_page_fails() {
    let payments = TestPayments::new().await;
    let ids = |count| (0..count).map(|_| testkit::new_id()).collect();
    let user = testkit::new_id();
    let exported = export(&payments, user, ids(100)).await.unwrap();
    assert!(exported.payments.is_empty());
    let error = export(&payments, user, ids(101)).await.err().unwrap();
    assert!(error.to_string().contains("101 payments"), "{error}");
}
