use kernel::Role;
use serde_json::json;
use testkit::status::*;

use crate::{fixture::TestPayments, recording_provider::Call};

#[tokio::test]
async fn a_payment_is_shown_to_its_owner_only() {
    let payments = TestPayments::new().await;
    let order = payments.order("pm_card_chargeCustomerFail");
    let client = payments.client();
    let owner = client.as_user(order.user_id, Role::User);
    let path = format!("/api/payments/{}", order.payment_id);
    owner.get(&path, NOT_FOUND).await;

    payments.process(&[&order.placed]).await;
    let mut expected = json!({
        "id": order.payment_id, "orderId": order.order_id, "status": "authorized",
        "amount": 39.98, "currency": "USD",
        "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
    });
    assert_eq!(owner.get(&path, OK).await.body["data"], expected);
    // A capture that has begun does not show until it has ended.
    payments.provider.plan([Call::RequestLost]);
    assert!(payments.processor.process(&order.committed).await.is_err());
    assert_eq!(owner.get(&path, OK).await.body["data"], expected);

    payments.process(&[&order.committed]).await;
    expected["status"] = json!("capture_failed");
    expected["failureReason"] = json!("card_declined");
    assert_eq!(owner.get(&path, OK).await.body["data"], expected);

    for role in [Role::User, Role::Moderator, Role::Admin] {
        let other = client.as_user(testkit::new_id(), role);
        other.get(&path, NOT_FOUND).await;
    }
    client.get(&path, UNAUTHORIZED).await;
    client.as_internal().get(&path, FORBIDDEN).await;
    let unknown: kernel::PaymentId = testkit::new_id();
    for id in [unknown.to_string(), "x".into(), "PAYMENT".into()] {
        owner.get(&format!("/api/payments/{id}"), NOT_FOUND).await;
    }
}
