//! Who does not want mails gets none about orders, and all about the account.

use contracts::events::{UserPasswordChanged, UserPasswordResetRequested};
use kernel::Role;
use kernel::UserId;
use notifications::api::list_notifications;
use testkit::{Client, status::OK};

use crate::desk::{
    Desk, EMAIL, at, confirmed, event, payment_failed, registered, seal_key, updated, wants_email,
};

#[tokio::test]
async fn whoever_wants_no_mails_is_told_in_the_list_alone() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id), wants_email(user_id, false, at(1))])
        .await;
    let orders = [confirmed(user_id), payment_failed(user_id, "card_declined")];
    // Each twice: one entry each.
    desk.compose(&orders).await;
    desk.compose(&orders).await;
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(
        desk.statuses().await,
        ["sent", "suppressed", "suppressed"],
        "the verification, then the orders"
    );
    assert_eq!(desk.mailer.mails().len(), 1);
    assert_eq!(desk.table.events().await.len(), 1, "nothing else waits");
    let client = Client::new(desk.table.start(&list_notifications::function()).await);
    let reply = client.as_user(user_id, Role::User);
    let reply = reply.get("/api/notifications", OK).await;
    let told = &reply.body["data"][1];
    assert_eq!(told["status"], "suppressed");
    assert_eq!(told["title"], "Your order is confirmed");
}

#[tokio::test]
async fn mails_about_the_account_go_out_all_the_same() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id), wants_email(user_id, false, at(1))])
        .await;
    let reset = UserPasswordResetRequested {
        user_id,
        email: EMAIL.into(),
        sealed_token: seal_key().seal("token").unwrap(),
    };
    let changed = UserPasswordChanged {
        user_id,
        email: EMAIL.into(),
    };
    desk.compose(&[event(&reset, at(2)), event(&changed, at(3))])
        .await;
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.statuses().await, ["sent", "sent", "sent"]);
}

#[tokio::test]
async fn the_newest_wish_counts_and_what_was_decided_stays_decided() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    // Ids sort by the time they were made, so the account is made first.
    let account = registered(user_id);
    let (no, yes) = (
        wants_email(user_id, false, at(1)),
        wants_email(user_id, true, at(2)),
    );
    let (first, second) = (confirmed(user_id), confirmed(user_id));
    desk.compose(&[account, no.clone(), first.clone()]).await;
    // The older wish comes again after the newer one.
    desk.compose(&[yes, no, first, second.clone()]).await;
    let orders = &desk.statuses().await[1..];
    assert_eq!(orders, ["suppressed", "queued"]);
    desk.compose(&[wants_email(user_id, false, at(3)), second])
        .await;
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.statuses().await[1..], ["suppressed", "sent"]);
}

#[tokio::test]
async fn who_never_said_gets_mails() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id), updated(user_id, EMAIL, at(1))])
        .await;
    desk.compose(&[confirmed(user_id)]).await;
    assert_eq!(desk.statuses().await, ["queued", "queued"]);
}
