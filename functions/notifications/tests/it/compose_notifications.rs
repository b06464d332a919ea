use contracts::{
    Envelope,
    events::{
        CancellationReason, NotificationQueued, OrderAuthorized, OrderCancelled, OrderPlaced,
        UserEmailChanged, UserMfaDisabled, UserMfaEnabled, UserPasswordChanged,
        UserPasswordResetRequested, UserVerificationRequested,
    },
};
use futures_util::future::join_all;
use kernel::{OrderId, PaymentId, UserId};
use notifications::{domain::Reach, store::Queued};

use crate::desk::{
    CORRELATION, Desk, EMAIL, at, confirmed, dollars, event, payment_failed, registered,
    registered_as, seal_key, updated,
};

fn cancelled(user_id: UserId) -> Envelope {
    let data = OrderCancelled {
        order_id: testkit::new_id::<OrderId>(),
        user_id,
        payment_id: testkit::new_id::<PaymentId>(),
        total: dollars(500),
        reason: CancellationReason::ReservationExpired,
    };
    event(&data, at(10))
}

#[tokio::test]
async fn each_event_makes_one_notification_and_the_event_that_it_waits() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let events = [
        registered(user_id),
        confirmed(user_id),
        payment_failed(user_id, "card_declined"),
        cancelled(user_id),
    ];
    desk.compose(&events).await;
    let templates: Vec<_> = desk
        .notifications()
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
    let queued = desk.table.events().await;
    assert_eq!(queued.len(), 4);
    for event in &events {
        let told = queued
            .iter()
            .filter(|queued| queued.causationid == event.id.to_string());
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), 1, "{}", event.event_type);
        assert_eq!(told[0].event_type, "notification.queued");
        assert_eq!(told[0].correlationid, CORRELATION);
        assert_eq!(told[0].actor, "function:compose-notifications");
        let data: NotificationQueued = told[0].read().unwrap();
        assert_eq!(data.user_id, user_id);
        assert_eq!(data.notification_id.as_uuid(), event.id.as_uuid());
    }
}

#[tokio::test]
async fn mails_about_an_account_go_to_the_address_of_the_event_even_before_the_account_is_known() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let email = || "old@example.com".to_owned();
    let sealed_token = || seal_key().seal("token").unwrap();
    let events = [
        event(
            &UserVerificationRequested {
                user_id,
                email: email(),
                sealed_token: sealed_token(),
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
    // Each twice: one mail each.
    desk.compose(&events).await;
    desk.compose(&events).await;
    desk.compose(&[updated(user_id, "new@example.com", at(4))])
        .await;
    assert_eq!(desk.deliver_all().await, 0);
    let mut subjects: Vec<_> = desk.mailer.mails().into_iter().collect();
    subjects.sort_by(|a, b| a.subject.cmp(&b.subject));
    let subjects: Vec<_> = subjects
        .iter()
        .map(|mail| (&*mail.to, &*mail.subject))
        .collect();
    assert_eq!(
        subjects,
        [
            ("old@example.com", "Set a new password for Emporium"),
            (
                "old@example.com",
                "Two-factor authentication is off at Emporium"
            ),
            (
                "old@example.com",
                "Two-factor authentication is on at Emporium"
            ),
            ("old@example.com", "Verify your email address for Emporium"),
            ("old@example.com", "Your Emporium email address was changed"),
            ("old@example.com", "Your Emporium password was changed"),
        ]
    );
}

#[tokio::test]
async fn an_event_that_comes_again_or_many_times_at_once_makes_nothing_more() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id)]).await;
    let event = confirmed(user_id);
    let copies = vec![event.clone(); 8];
    let at_once = copies
        .chunks(2)
        .map(|batch| testkit::deliver(&desk.composer, batch));
    assert!(join_all(at_once).await.concat().is_empty());
    desk.compose(&copies).await;
    assert_eq!(desk.notifications().await.len(), 2);
    assert_eq!(desk.table.events().await.len(), 2);
}

#[tokio::test]
async fn a_lost_reply_of_the_store_is_no_second_notification() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let event = confirmed(user_id);
    let notifications::domain::Reaction::Tell(notification) =
        notifications::domain::Reaction::to(&event).unwrap()
    else {
        panic!("an order that is confirmed is told");
    };
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let data = NotificationQueued {
            notification_id: notification.id,
            user_id,
            channel: notification.channel,
        };
        let queued = crate::desk::event(&data, at(11));
        outcomes.push(desk.store.queue(&notification, &queued).await.unwrap());
    }
    assert_eq!(outcomes, [Queued::Now, Queued::Before]);
    assert_eq!(desk.table.events().await.len(), 1);
}

#[tokio::test]
async fn what_is_not_told_makes_nothing() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let (order_id, payment_id) = (testkit::new_id::<OrderId>(), testkit::new_id::<PaymentId>());
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
    unknown.event_type = "order.teleported".into();
    desk.compose(&[event(&placed, at(0)), event(&authorized, at(1)), unknown])
        .await;
    assert!(desk.table.items().await.is_empty());
}

#[tokio::test]
async fn an_order_that_overtakes_its_persons_registration_waits_for_it() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let (account, order) = (registered(user_id), confirmed(user_id));
    let overtaking = std::slice::from_ref(&order);
    assert_eq!(testkit::deliver(&desk.composer, overtaking).await, [0]);
    assert!(desk.table.items().await.is_empty());
    desk.compose(&[account, order]).await;
    assert_eq!(desk.notifications().await.len(), 2);
}

#[tokio::test]
async fn the_newest_address_wins_in_whatever_order_it_comes() {
    let user_id = testkit::new_id::<UserId>();
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
        let desk = Desk::open().await;
        desk.compose(&order.map(Clone::clone)).await;
        desk.compose(&order.map(Clone::clone)).await;
        let Reach::At(contact) = desk.store.reach(user_id).await.unwrap() else {
            panic!("not known")
        };
        assert_eq!(contact.email, "third@example.com");
        assert_eq!(contact.name, "Ada King");
        assert_eq!(contact.updated_at, at(9));
        assert_eq!(desk.notifications().await.len(), 1);
    }
}

#[tokio::test]
async fn an_event_that_does_not_read_fails_alone() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let mut broken = registered_as(user_id, "Ada", EMAIL, at(0));
    broken.data = serde_json::json!({"userId": user_id});
    let batch = [
        registered(testkit::new_id::<UserId>()),
        broken,
        registered(user_id),
    ];
    assert_eq!(testkit::deliver(&desk.composer, &batch).await, [1]);
    assert_eq!(desk.notifications().await.len(), 2);
}

#[tokio::test]
async fn no_event_bears_an_address_or_a_token() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let account = registered(user_id);
    desk.compose(&[account.clone(), confirmed(user_id)]).await;
    let sealed = account.data["sealedVerificationToken"].as_str().unwrap();
    for event in desk.table.events().await {
        let json = serde_json::to_string(&event).unwrap();
        for secret in [EMAIL, "Ada", sealed, "tok+en"] {
            assert!(!json.contains(secret), "{secret} in {json}");
        }
    }
}

#[tokio::test]
async fn an_items_size_is_one_write_unit() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id), confirmed(user_id)])
        .await;
    for item in desk.table.items().await {
        // The JSON of an item is longer than DynamoDB counts it.
        let item: serde_json::Value = serde_dynamo::from_item(item).unwrap();
        let bytes = item.to_string().len();
        assert!(bytes <= 1024, "{bytes} bytes: {item}");
    }
}
