use contracts::events::{Channel, NotificationQueued};
use futures_util::future::join_all;
use kernel::{NotificationId, SignedDuration, UserId};
use notifications::{
    mail::SendMailError,
    store::{Claim, Claimed, Settled},
};
use uuid::Uuid;

use crate::desk::{
    CORRELATION, Desk, EMAIL, at, confirmed, event, payment_failed, registered, registered_as,
    updated,
};

/// A desk where one confirmed order's mail waits.
async fn waiting() -> (Desk, Claim) {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let order = confirmed(user_id);
    let contact = updated(user_id, EMAIL, at(0));
    desk.compose(&[contact, order.clone()]).await;
    let claim = Claim {
        user_id,
        notification_id: NotificationId::from(*order.id.as_uuid()),
        id: Uuid::from_u128(1),
        now: at(0),
        until: at(30),
    };
    (desk, claim)
}

#[tokio::test]
async fn each_event_ends_in_one_mail_that_bears_the_first_requests_id() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let events = [
        registered(user_id),
        confirmed(user_id),
        payment_failed(user_id, "insufficient_funds"),
    ];
    desk.compose(&events).await;
    assert_eq!(desk.deliver_all().await, 0);
    // Everything comes twice.
    desk.compose(&events).await;
    assert_eq!(desk.deliver_all().await, 0);

    let mails = desk.mailer.mails();
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
    assert_eq!(desk.statuses().await, ["sent", "sent", "sent"]);
}

#[tokio::test]
async fn many_copies_at_once_are_one_mail() {
    let (desk, _) = waiting().await;
    let queued = desk.table.events().await;
    let copies = (0..8).map(|_| testkit::deliver(&desk.courier, &queued));
    let failed = join_all(copies).await.concat();
    assert_eq!(desk.mailer.mails().len(), 1);
    // Those who met the one that was sending come again, and find it sent.
    assert!(failed.len() < 8);
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.mailer.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_that_did_not_work_is_sent_when_it_comes_again() {
    let (desk, _) = waiting().await;
    desk.mailer
        .refuse_next(SendMailError::Failed("no answer".into()));
    assert_eq!(desk.deliver_all().await, 1);
    assert_eq!(desk.statuses().await, ["queued"]);
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.mailer.mails().len(), 1);
    assert_eq!(desk.statuses().await, ["sent"]);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_acknowledged() {
    let (desk, _) = waiting().await;
    desk.mailer.refuse_next(SendMailError::Refused {
        code: "MessageRejected".into(),
    });
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.statuses().await, ["failed"]);
    assert_eq!(desk.notifications().await[0]["failure"], "MessageRejected");
    assert_eq!(desk.deliver_all().await, 0);
    assert!(desk.mailer.mails().is_empty());
}

#[tokio::test]
async fn a_dead_functions_claim_runs_out_and_the_mail_is_sent() {
    let (desk, claim) = waiting().await;
    assert!(matches!(
        desk.store.claim(&claim).await.unwrap(),
        Claimed::Yours { .. }
    ));
    desk.clock.advance(SignedDuration::from_millis(29_999));
    assert_eq!(desk.deliver_all().await, 1);
    assert!(desk.mailer.mails().is_empty());
    desk.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.mailer.mails().len(), 1);
    // The dead one wakes up: what it has to say does not count any more.
    for late in [
        Settled::Released,
        Settled::Sent,
        Settled::Failed("MessageRejected"),
    ] {
        assert!(!desk.store.settle(&claim, late).await.unwrap());
        assert_eq!(desk.statuses().await, ["sent"]);
    }
}

#[tokio::test]
async fn a_lost_reply_changes_nothing() {
    let (desk, claim) = waiting().await;
    let first = desk.store.claim(&claim).await.unwrap();
    assert!(matches!(first, Claimed::Yours { .. }));
    assert_eq!(desk.store.claim(&claim).await.unwrap(), first);
    let other = Claim {
        id: Uuid::from_u128(2),
        ..claim
    };
    assert_eq!(desk.store.claim(&other).await.unwrap(), Claimed::Busy);
    for _ in 0..2 {
        assert!(desk.store.settle(&claim, Settled::Sent).await.unwrap());
        assert_eq!(desk.statuses().await, ["sent"]);
    }
    assert_eq!(desk.store.claim(&claim).await.unwrap(), Claimed::Settled);
    assert_eq!(desk.store.claim(&other).await.unwrap(), Claimed::Settled);
}

#[tokio::test]
async fn the_token_goes_to_the_address_that_it_proves_without_a_name() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[
        registered_as(user_id, "Ada", "first@example.com", at(0)),
        updated(user_id, "second@example.com", at(1)),
        confirmed(user_id),
    ])
    .await;
    assert_eq!(desk.deliver_all().await, 0);
    let mut sent: Vec<_> = desk
        .mailer
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
async fn a_token_that_does_not_open_waits_for_an_operator() {
    let desk = Desk::open().await;
    let mut account = registered(testkit::new_id::<UserId>());
    account.data["sealedVerificationToken"] = "bm90IHNlYWxlZCB3aXRoIHRoaXMga2V5".into();
    desk.compose(&[account]).await;
    assert_eq!(desk.deliver_all().await, 1);
    assert_eq!(desk.statuses().await, ["queued"]);
    assert!(desk.mailer.mails().is_empty());
}

#[tokio::test]
async fn what_is_not_there_fails_and_what_is_not_for_it_is_ignored() {
    let desk = Desk::open().await;
    let data = NotificationQueued {
        notification_id: testkit::new_id::<NotificationId>(),
        user_id: testkit::new_id::<UserId>(),
        channel: Channel::Email,
    };
    let batch = [
        event(&data, at(0)),
        registered(testkit::new_id::<UserId>()),
        confirmed(testkit::new_id::<UserId>()),
    ];
    assert_eq!(testkit::deliver(&desk.courier, &batch).await, [0]);
    assert!(desk.table.items().await.is_empty());
}
