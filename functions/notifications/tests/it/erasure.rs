//! Closing, reopening and erasing an account.

use contracts::{
    Envelope,
    events::{UserDeactivated, UserErased, UserPasswordChanged, UserReactivated},
};
use dynamo::Expression;
use kernel::{Role, UserId};
use notifications::domain::ContactState;
use testkit::status::OK;

use crate::{
    events::{confirmed, event, registered, updated},
    fixture::{EMAIL, TestNotifications, at},
};

fn closed(user_id: UserId, erase_at: Option<i64>) -> Envelope {
    let data = UserDeactivated {
        user_id,
        erase_at: erase_at.map(at),
    };
    event(&data, at(20))
}

fn erased(user_id: UserId) -> Envelope {
    event(&UserErased { user_id }, at(99))
}

#[tokio::test]
async fn closing_and_reopening_an_account_are_confirmed_by_email() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    let reopened = event(&UserReactivated { user_id }, at(30));
    let events = [
        registered(user_id),
        closed(user_id, Some(30 * 24 * 3600)),
        reopened,
    ];
    notifications.compose(&events).await;
    notifications.compose(&events).await;
    // An account that an admin closed has no erasure date, and no email.
    notifications.compose(&[closed(user_id, None)]).await;
    assert_eq!(notifications.deliver_all().await, 0);
    let mut mails = notifications.mailbox.mails();
    mails.sort_by(|a, b| a.subject.cmp(&b.subject));
    let subjects: Vec<_> = mails.iter().map(|mail| &*mail.subject).collect();
    let expected = [
        "Verify your email address for Emporium",
        "Your Emporium account is closed",
        "Your Emporium account is open again",
    ];
    assert_eq!(subjects, expected);
    for body in [&mails[1].text, &mails[1].html] {
        assert!(body.contains("21 December 2026"), "{body}");
        assert!(body.contains("sign in"), "{body}");
    }
    assert!(mails.iter().all(|mail| mail.to == EMAIL));
    // All of them are listed.
    let client = notifications.client().as_user(user_id, Role::User);
    let reply = client.get("/api/notifications", OK).await;
    let listed = reply.body["data"].as_array().unwrap().iter();
    let mut types: Vec<_> = listed.map(|item| item["type"].as_str().unwrap()).collect();
    types.sort_unstable();
    let expected = ["account_closed", "account_reopened", "verify_email"];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn erasure_removes_all_personal_data_in_any_order_of_events() {
    let (user_id, other): (UserId, UserId) = (testkit::new_id(), testkit::new_id());
    let notifications = TestNotifications::new().await;
    notifications
        .compose(&[registered(other), registered(user_id)])
        .await;
    for _ in 0..120 {
        notifications.compose(&[confirmed(user_id)]).await;
    }
    // All events twice; those after the erasure do not restore the user.
    let late = updated(user_id, "late@example.com", at(50));
    let later = updated(user_id, "later@example.com", at(200));
    let password_changed = event(
        &UserPasswordChanged {
            user_id,
            email: EMAIL.into(),
        },
        at(60),
    );
    let events = [
        password_changed.clone(),
        erased(user_id),
        late,
        later,
        confirmed(user_id),
        registered(user_id),
    ];
    notifications.compose(&events).await;
    notifications.compose(&events).await;
    // The same for an event that names its address, however late it arrives.
    notifications.compose(&[password_changed]).await;
    assert_eq!(
        notifications.store.contact(user_id).await.unwrap(),
        ContactState::Erased
    );
    assert_eq!(notifications.items().await.len(), 1, "the other person's");
    let items = notifications.table.items().await;
    let items = items.iter().map(|item| format!("{item:?}"));
    for item in items.filter(|item| item.contains(&user_id.to_string())) {
        let personal = ["Ada", "example.com", "kettle"];
        assert!(!personal.iter().any(|word| item.contains(word)), "{item}");
    }
    assert!(matches!(
        notifications.store.contact(other).await.unwrap(),
        ContactState::Known(_)
    ));
    // The queued notifications are acknowledged, and trigger no alarm.
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_notification_composed_during_the_erasure_is_not_sent() {
    let notifications = TestNotifications::new().await;
    let user_id: UserId = testkit::new_id();
    notifications.compose(&[registered(user_id)]).await;
    // The user is erased after the contact was read and before these were
    // written, which are then left over; the second names its address itself.
    let email = EMAIL.into();
    let password_changed = event(&UserPasswordChanged { user_id, email }, at(60));
    let late = [confirmed(user_id), password_changed];
    notifications.compose(&late).await;
    let left_over = notifications.items().await.split_off(1);
    notifications.compose(&[erased(user_id)]).await;
    let table = notifications.table.table();
    for item in left_over {
        table.put(&item, Expression::default()).await.unwrap();
    }
    assert_eq!(notifications.deliver_all().await, 0);
    assert_eq!(notifications.statuses().await, ["failed", "failed"]);
    let items = format!("{:?}", notifications.table.items().await);
    for personal in ["example.com", "kettle"] {
        assert!(!items.contains(personal), "{items}");
    }
    assert!(notifications.mailbox.mails().is_empty());
}
