use futures_util::future::join_all;
use kernel::{NotificationId, SignedDuration, UserId};
use notifications::store::{Claim, ClaimOutcome, DeliveryOutcome};
use uuid::Uuid;

use crate::{
    events::{
        CORRELATION, confirmed, payment_failed, registered, registered_as, updated, verified,
    },
    fixture::{EMAIL, TestNotifications, at, error},
};

/// The service with one queued notification, and a claim to it.
async fn with_queued_notification() -> (TestNotifications, Claim) {
    let notifications = TestNotifications::new().await;
    let user_id = testkit::new_id();
    let order = confirmed(user_id);
    let contact = updated(user_id, EMAIL, at(0));
    notifications.compose(&[contact, order.clone()]).await;
    let claim = Claim {
        user_id,
        notification_id: NotificationId::from(*order.id.as_uuid()),
        unlisted: false,
        id: Uuid::from_u128(1),
        now: at(0),
        until: at(30),
    };
    (notifications, claim)
}

#[tokio::test]
async fn each_event_leads_to_one_email_with_the_correlation_id() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let events = [
        registered(user_id),
        confirmed(user_id),
        payment_failed(user_id, "insufficient_funds"),
    ];
    notifications.compose(&events).await;
    assert_eq!(notifications.deliver_all().await, 0);
    // Every event is delivered twice.
    notifications.compose(&events).await;
    assert_eq!(notifications.deliver_all().await, 0);

    let mails = notifications.mailbox.mails();
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            "The payment for your Emporium order failed",
            "Verify your email address for Emporium",
            "Your Emporium order is confirmed",
        ]
    );
    for mail in &mails {
        assert_eq!(mail.to, EMAIL);
        assert_eq!(mail.correlation_id, CORRELATION);
    }
    assert_eq!(notifications.statuses().await, ["sent", "sent", "sent"]);
}

#[tokio::test]
async fn concurrent_deliveries_send_one_email() {
    let (notifications, _) = with_queued_notification().await;
    let queued = notifications.table.events().await;
    let copies = (0..8).map(|_| notifications.deliver(&queued));
    let failed = join_all(copies).await.concat();
    assert_eq!(notifications.mailbox.mails().len(), 1);
    // Those that met a claim are redelivered, and find the email sent.
    assert!(failed.len() < 8);
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_failed_email_is_sent_on_redelivery() {
    let (notifications, _) = with_queued_notification().await;
    notifications
        .mailbox
        .fail_next(error(500, "InternalFailure", "try again"));
    assert_eq!(notifications.deliver_all().await, 1);
    assert_eq!(notifications.statuses().await, ["queued"]);
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.mailbox.mails().len(), 1);
    assert_eq!(notifications.statuses().await, ["sent"]);
}

#[tokio::test]
async fn a_rejected_email_is_recorded_as_failed_and_acknowledged() {
    let (notifications, _) = with_queued_notification().await;
    notifications
        .mailbox
        .fail_next(error(400, "MessageRejected", "Address blacklisted."));
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.statuses().await, ["failed"]);
    assert_eq!(notifications.items().await[0]["failure"], "MessageRejected");
    assert_eq!(notifications.deliver_all().await, 0);
    assert!(notifications.mailbox.mails().is_empty());
}

#[tokio::test]
async fn a_claim_expires_and_another_attempt_sends_the_email() {
    let (notifications, claim) = with_queued_notification().await;
    assert!(matches!(
        notifications.store.claim(&claim).await.unwrap(),
        ClaimOutcome::Granted { .. }
    ));
    notifications
        .table
        .clock()
        .advance(SignedDuration::from_millis(29_999));
    assert_eq!(notifications.deliver_all().await, 1);
    assert!(notifications.mailbox.mails().is_empty());
    notifications
        .table
        .clock()
        .advance(SignedDuration::from_millis(1));
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.mailbox.mails().len(), 1);
    // The first attempt resumes; its outcome no longer counts.
    for late in [
        DeliveryOutcome::Released,
        DeliveryOutcome::Sent,
        DeliveryOutcome::Failed("MessageRejected"),
    ] {
        assert!(!notifications.store.settle(&claim, late).await.unwrap());
        assert_eq!(notifications.statuses().await, ["sent"]);
    }
}

#[tokio::test]
async fn a_repeated_claim_or_settlement_has_no_further_effect() {
    let (notifications, claim) = with_queued_notification().await;
    let first = notifications.store.claim(&claim).await.unwrap();
    assert!(matches!(first, ClaimOutcome::Granted { .. }));
    assert_eq!(notifications.store.claim(&claim).await.unwrap(), first);
    let other = Claim {
        id: Uuid::from_u128(2),
        ..claim
    };
    assert_eq!(
        notifications.store.claim(&other).await.unwrap(),
        ClaimOutcome::Busy
    );
    for _ in 0..2 {
        assert!(
            notifications
                .store
                .settle(&claim, DeliveryOutcome::Sent)
                .await
                .unwrap()
        );
        assert_eq!(notifications.statuses().await, ["sent"]);
    }
    assert_eq!(
        notifications.store.claim(&claim).await.unwrap(),
        ClaimOutcome::Settled
    );
    assert_eq!(
        notifications.store.claim(&other).await.unwrap(),
        ClaimOutcome::Settled
    );
}

#[tokio::test]
async fn a_token_is_sent_to_the_address_it_verifies_without_a_name() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[
            registered_as(user_id, "Ada", "first@example.com", at(0)),
            updated(user_id, "second@example.com", at(1)),
            verified(user_id, "second@example.com"),
            confirmed(user_id),
        ])
        .await;
    assert_eq!(notifications.deliver_all().await, 0);
    let mut sent: Vec<_> = notifications
        .mailbox
        .mails()
        .into_iter()
        .map(|mail| {
            (
                mail.to,
                mail.text.contains("token="),
                mail.text.contains("Ada"),
            )
        })
        .collect();
    sent.sort();
    assert_eq!(
        sent,
        [
            ("first@example.com".to_owned(), true, false),
            ("second@example.com".to_owned(), false, true),
        ]
    );
}

#[tokio::test]
async fn an_email_whose_token_cannot_be_unsealed_stays_queued() {
    let notifications = TestNotifications::new().await;
    let mut account = registered(testkit::new_id());
    account.data["sealedVerificationToken"] = "bm90IHNlYWxlZCB3aXRoIHRoaXMga2V5".into();
    notifications.compose(&[account]).await;
    assert_eq!(notifications.deliver_all().await, 1);
    assert_eq!(notifications.statuses().await, ["queued"]);
    assert!(notifications.mailbox.mails().is_empty());
}

#[tokio::test]
async fn an_unknown_notification_fails_and_other_events_are_ignored() {
    let notifications = TestNotifications::new().await;
    let batch = [
        notifications.queued(testkit::new_id(), testkit::new_id()),
        registered(testkit::new_id()),
        confirmed(testkit::new_id()),
    ];
    assert_eq!(notifications.deliver(&batch).await, [0]);
    assert!(notifications.table.items().await.is_empty());
}
