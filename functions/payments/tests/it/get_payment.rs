//! `GET /api/payments/{id}`.

use kernel::Role;
use kernel::{PaymentId, UserId};
use payments::api::get_payment;
use serde_json::json;
use testkit::{Client, status::*};

use crate::{
    ledger::Call,
    till::{Till, said},
};

#[tokio::test]
async fn a_payment_is_shown_to_whom_it_belongs() {
    let till = Till::open().await;
    let said = said("pm_card_chargeCustomerFail");
    let client = Client::new(till.table.start(&get_payment::function()).await);
    let own = client.as_user(said.user_id, Role::User);
    let path = format!("/api/payments/{}", said.payment_id);
    own.get(&path, NOT_FOUND).await;

    till.tell(&[&said.placed]).await;
    let mut expected = json!({
        "id": said.payment_id, "orderId": said.order_id, "status": "authorized",
        "amount": 39.98, "currency": "USD",
        "createdAt": "2026-01-05T12:00:00Z", "updatedAt": "2026-01-05T12:00:00Z",
    });
    assert_eq!(own.get(&path, OK).await.body["data"], expected);
    // While money is being taken it is not yet taken.
    till.ledger.plan([Call::Lost]);
    assert!(till.processor.process(&said.committed).await.is_err());
    assert_eq!(own.get(&path, OK).await.body["data"], expected);

    till.tell(&[&said.committed]).await;
    expected["status"] = json!("capture_failed");
    expected["failureReason"] = json!("card_declined");
    assert_eq!(own.get(&path, OK).await.body["data"], expected);

    for role in [Role::User, Role::Moderator, Role::Admin] {
        client
            .as_user(testkit::new_id::<UserId>(), role)
            .get(&path, NOT_FOUND)
            .await;
    }
    client.get(&path, UNAUTHORIZED).await;
    client.as_internal().get(&path, FORBIDDEN).await;
    for id in [
        testkit::new_id::<PaymentId>().to_string(),
        "x".into(),
        "PAYMENT".into(),
    ] {
        own.get(&format!("/api/payments/{id}"), NOT_FOUND).await;
    }
}
