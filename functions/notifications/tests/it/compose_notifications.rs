use contracts::{
    Envelope,
    events::{
        CancellationReason, NotificationQueued, OrderAuthorized, OrderCancelled, OrderPlaced,
        UserEmailChanged, UserMfaDisabled, UserMfaEnabled, UserPasswordChanged,
        UserPasswordResetRequested, UserRegistrationAttempted, UserVerificationRequested,
    },
};
use futures_util::future::join_all;
use kernel::UserId;
use notifications::{
    domain::{ContactState, Reaction},
    store::EnqueueOutcome,
};

use crate::{
    events::{
        CORRELATION, confirmed, dollars, event, payment_failed, registered, registered_as, updated,
        verified,
    },
    fixture::{EMAIL, TestNotifications, at, seal_key},
};

fn cancelled(user_id: UserId) -> Envelope {
    let data = OrderCancelled {
        order_id: testkit::new_id(),
        user_id,
        payment_id: testkit::new_id(),
        total: dollars(500),
        reason: CancellationReason::ReservationExpired,
    };
    event(&data, at(10))
}

#[tokio::test]
async fn each_event_makes_one_notification_with_its_queued_event() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let events = [
        registered(user_id),
        confirmed(user_id),
        payment_failed(user_id, "card_declined"),
        cancelled(user_id),
    ];
    notifications.compose(&[verified(user_id, EMAIL)]).await;
    notifications.compose(&events).await;
    let templates: Vec<_> = notifications
        .items()
        .await
        .into_iter()
        .map(|item| item["template"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        templates,
        [
            "verify_email",
            "order_confirmed",
            "payment_failed",
            "order_cancelled"
        ]
    );
    let queued = notifications.table.events().await;
    assert_eq!(queued.len(), 4);
    for event in &events {
        let caused = queued
            .iter()
            .filter(|queued| queued.causationid == event.id.to_string());
        let caused: Vec<_> = caused.collect();
        assert_eq!(caused.len(), 1, "{}", event.event_type);
        assert_eq!(caused[0].event_type, "notification.queued");
        assert_eq!(caused[0].correlationid, CORRELATION);
        assert_eq!(caused[0].actor, "function:compose-notifications");
        let data: NotificationQueued = caused[0].read().unwrap();
        assert_eq!(data.user_id, user_id);
        assert_eq!(data.notification_id.as_uuid(), event.id.as_uuid());
    }
}

#[tokio::test]
async fn account_emails_go_to_the_address_of_their_event_even_for_an_unknown_account() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let email = || "old@example.com".to_owned();
    let sealed_token = || seal_key().seal("token").unwrap();
    let events = [
        event(
            &UserVerificationRequested {
                user_id,
                email: email(),
                sealed_token: sealed_token(),
                replaces_current: None,
            },
            at(1),
        ),
        event(
            &UserPasswordResetRequested {
                user_id,
                email: email(),
                sealed_token: sealed_token(),
            },
            at(2),
        ),
        event(
            &UserPasswordChanged {
                user_id,
                email: email(),
            },
            at(3),
        ),
        event(
            &UserRegistrationAttempted {
                user_id,
                email: email(),
            },
            at(3),
        ),
        event(
            &UserEmailChanged {
                user_id,
                previous_email: email(),
            },
            at(3),
        ),
        event(
            &UserMfaEnabled {
                user_id,
                email: email(),
            },
            at(3),
        ),
        event(
            &UserMfaDisabled {
                user_id,
                email: email(),
            },
            at(3),
        ),
    ];
    // Each event twice leads to one email.
    notifications.compose(&events).await;
    notifications.compose(&events).await;
    notifications
        .compose(&[updated(user_id, "new@example.com", at(4))])
        .await;
    assert_eq!(notifications.deliver_all().await, 0);
    let mut mails = notifications.mailbox.mails();
    mails.sort_by(|a, b| a.subject.cmp(&b.subject));
    let subjects: Vec<_> = mails
        .iter()
        .map(|mail| (&*mail.to, &*mail.subject))
        .collect();
    assert_eq!(
        subjects,
        [
            ("old@example.com", "Reset your Emporium password"),
            (
                "old@example.com",
                "Somebody tried to register with your Emporium account's address"
            ),
            (
                "old@example.com",
                "Two-factor authentication is off for your Emporium account"
            ),
            (
                "old@example.com",
                "Two-factor authentication is on for your Emporium account"
            ),
            ("old@example.com", "Verify your email address for Emporium"),
            ("old@example.com", "Your Emporium email address was changed"),
            ("old@example.com", "Your Emporium password was changed"),
        ]
    );
}

#[tokio::test]
async fn repeated_or_concurrent_deliveries_make_one_notification() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications.compose(&[registered(user_id)]).await;
    let event = confirmed(user_id);
    let copies = vec![event.clone(); 8];
    let composer = notifications.function("compose-notifications").await;
    let concurrent = copies
        .chunks(2)
        .map(|batch| testkit::deliver(&composer, batch));
    assert!(join_all(concurrent).await.concat().is_empty());
    notifications.compose(&copies).await;
    assert_eq!(notifications.items().await.len(), 2);
    assert_eq!(notifications.table.events().await.len(), 2);
}

#[tokio::test]
async fn enqueueing_twice_makes_one_notification_and_one_event() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let event = confirmed(user_id);
    let Reaction::NotifyUser(notification) = Reaction::to(&event).unwrap() else {
        panic!("a confirmed order notifies its user");
    };
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let queued = notifications.queued(notification.id, user_id);
        let enqueued = notifications.store.enqueue(&notification, &queued).await;
        outcomes.push(enqueued.unwrap());
    }
    assert_eq!(
        outcomes,
        [EnqueueOutcome::Enqueued, EnqueueOutcome::AlreadyEnqueued]
    );
    assert_eq!(notifications.table.events().await.len(), 1);
}

#[tokio::test]
async fn an_event_without_a_message_writes_nothing() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let (order_id, payment_id) = (testkit::new_id(), testkit::new_id());
    let placed = OrderPlaced {
        order_id,
        user_id,
        payment_id,
        payment_method: "pm_card_visa".into(),
        lines: vec![],
        total: dollars(1),
        held_until: at(900),
    };
    let authorized = OrderAuthorized {
        order_id,
        payment_id,
    };
    let mut unknown = event(&authorized, at(1));
    unknown.event_type = "order.unknown".into();
    notifications
        .compose(&[event(&placed, at(0)), event(&authorized, at(1)), unknown])
        .await;
    assert!(notifications.table.items().await.is_empty());
}

#[tokio::test]
async fn an_order_event_that_overtakes_the_registration_fails_until_it_arrives() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let (account, order) = (registered(user_id), confirmed(user_id));
    let composer = notifications.function("compose-notifications").await;
    let overtaking = std::slice::from_ref(&order);
    assert_eq!(testkit::deliver(&composer, overtaking).await, [0]);
    assert!(notifications.table.items().await.is_empty());
    notifications.compose(&[account, order]).await;
    assert_eq!(notifications.items().await.len(), 2);
}

#[tokio::test]
async fn the_latest_contact_data_wins_in_any_order_of_events() {
    let user_id: UserId = testkit::new_id();
    let first = registered(user_id);
    let second = updated(user_id, "second@example.com", at(5));
    let third = updated(user_id, "third@example.com", at(9));
    for order in [
        [&first, &second, &third],
        [&first, &third, &second],
        [&second, &first, &third],
        [&second, &third, &first],
        [&third, &first, &second],
        [&third, &second, &first],
    ] {
        let notifications = TestNotifications::new().await;
        notifications.compose(&order.map(Clone::clone)).await;
        notifications.compose(&order.map(Clone::clone)).await;
        let ContactState::Known(contact) = notifications.store.contact(user_id).await.unwrap()
        else {
            panic!("the user is unknown")
        };
        assert_eq!(contact.email, "third@example.com");
        assert_eq!(contact.name, "Ada King");
        assert_eq!(contact.updated_at, at(9));
        assert_eq!(notifications.items().await.len(), 1);
    }
}

#[tokio::test]
async fn an_invalid_event_does_not_affect_the_rest_of_its_batch() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let mut broken = registered_as(user_id, "Ada", EMAIL, at(0));
    broken.data = serde_json::json!({"userId": user_id});
    let batch = [registered(testkit::new_id()), broken, registered(user_id)];
    let composer = notifications.function("compose-notifications").await;
    assert_eq!(testkit::deliver(&composer, &batch).await, [1]);
    assert_eq!(notifications.items().await.len(), 2);
}

#[tokio::test]
async fn published_events_contain_no_address_and_no_token() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let account = registered(user_id);
    notifications
        .compose(&[account.clone(), confirmed(user_id)])
        .await;
    let sealed = account.data["sealedVerificationToken"].as_str().unwrap();
    for event in notifications.table.events().await {
        let json = serde_json::to_string(&event).unwrap();
        for secret in [EMAIL, "Ada", sealed, "tok+en"] {
            assert!(!json.contains(secret), "{secret} in {json}");
        }
    }
}

#[tokio::test]
async fn every_item_fits_into_one_write_unit() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications
        .compose(&[registered(user_id), confirmed(user_id)])
        .await;
    for item in notifications.table.items().await {
        // Its JSON is longer than what DynamoDB counts.
        let item: serde_json::Value = serde_dynamo::from_item(item).unwrap();
        let bytes = item.to_string().len();
        assert!(bytes <= 1024, "{bytes} bytes: {item}");
    }
}
