//! What the service holds on a person, for the person.

use contracts::calls::{ExportPayments, ExportedPayments};
use kernel::{PaymentId, UserId};
use payments::api::export_payments;
use runtime::Error;

use crate::till::{Till, said};

async fn ask(
    till: &Till,
    user_id: UserId,
    payment_ids: Vec<PaymentId>,
) -> Result<ExportedPayments, Error> {
    let handler = till.table.start(&export_payments::function()).await;
    let call = ExportPayments {
        user_id,
        payment_ids,
        correlation_id: "export-1".into(),
    };
    testkit::call(&handler, &call).await
}

#[tokio::test]
async fn only_ones_own_payments_are_given_whatever_is_asked_for() {
    let till = Till::open().await;
    let (own, other) = (said("pm_card_visa"), said("pm_card_visa"));
    till.tell(&[&own.placed, &other.placed]).await;
    let asked = vec![
        other.payment_id,
        own.payment_id,
        testkit::new_id::<PaymentId>(),
    ];
    let given = ask(&till, own.user_id, asked).await.unwrap();
    assert_eq!(given.payments.len(), 1);
    assert_eq!(given.payments[0]["id"], own.payment_id.to_string());
    assert_eq!(given.payments[0]["amount"], 39.98);
    let nobody = ask(&till, own.user_id, vec![]).await.unwrap();
    assert!(nobody.payments.is_empty());
}

#[tokio::test]
async fn more_than_a_page_is_refused() {
    let till = Till::open().await;
    let ids = |count| (0..count).map(|_| testkit::new_id::<PaymentId>()).collect();
    let user = testkit::new_id::<UserId>();
    assert!(
        ask(&till, user, ids(100))
            .await
            .unwrap()
            .payments
            .is_empty()
    );
    let error = ask(&till, user, ids(101)).await.err().unwrap();
    assert!(error.to_string().contains("101 payments"), "{error}");
}
