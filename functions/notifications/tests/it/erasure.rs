//! Who closes an account is told until when; who is erased is told nothing more
//! and known no more.

use contracts::{
    Envelope,
    events::{UserDeactivated, UserErased, UserPasswordChanged, UserReactivated},
};
use kernel::Role;
use kernel::UserId;
use notifications::{api::list_notifications, domain::Reach};
use testkit::{Client, status::OK};

use crate::desk::{Desk, EMAIL, at, confirmed, event, registered, updated};

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
async fn who_closes_an_account_is_told_until_when_and_who_is_back_that() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    let back = event(&UserReactivated { user_id }, at(30));
    let events = [
        registered(user_id),
        closed(user_id, Some(30 * 24 * 3600)),
        back,
    ];
    desk.compose(&events).await;
    desk.compose(&events).await;
    // What an admin closes is not told.
    desk.compose(&[closed(user_id, None)]).await;
    assert_eq!(desk.deliver_all().await, 0);
    let mut mails = desk.mailer.mails();
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
    // And the person sees all of them.
    let listed = Client::new(desk.table.start(&list_notifications::function()).await);
    let listed = listed.as_user(user_id, Role::User);
    let listed = listed.get("/api/notifications", OK).await;
    let listed = listed.body["data"].as_array().unwrap();
    let mut kinds: Vec<_> = listed
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    let expected = ["account_closed", "account_reopened", "verify_email"];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn nothing_is_left_of_who_was_erased_in_whatever_order_it_comes() {
    let (user_id, other) = (testkit::new_id::<UserId>(), testkit::new_id::<UserId>());
    let desk = Desk::open().await;
    desk.compose(&[registered(other), registered(user_id)])
        .await;
    for _ in 0..120 {
        desk.compose(&[confirmed(user_id)]).await;
    }
    // Twice, and what comes after it does not bring the person back.
    let late = updated(user_id, "late@example.com", at(50));
    let later = updated(user_id, "later@example.com", at(200));
    let mailed = event(
        &UserPasswordChanged {
            user_id,
            email: EMAIL.into(),
        },
        at(60),
    );
    let events = [
        mailed.clone(),
        erased(user_id),
        late,
        later,
        confirmed(user_id),
        registered(user_id),
    ];
    desk.compose(&events).await;
    desk.compose(&events).await;
    // What has its address with it too, however late it comes.
    desk.compose(&[mailed]).await;
    assert_eq!(desk.store.reach(user_id).await.unwrap(), Reach::Erased);
    assert_eq!(desk.notifications().await.len(), 1, "the other person's");
    let items = desk.table.items().await;
    let left = items.iter().map(|item| format!("{item:?}"));
    let of_user: Vec<String> = left
        .filter(|item| item.contains(&user_id.to_string()))
        .collect();
    for item in &of_user {
        let personal = ["Ada", "example.com", "kettle"];
        assert!(!personal.iter().any(|word| item.contains(word)), "{item}");
    }
    assert!(matches!(
        desk.store.reach(other).await.unwrap(),
        Reach::At(_)
    ));
    // What was to be delivered is done with, and nobody is paged for it.
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.mailer.mails().len(), 1);
}

#[tokio::test]
async fn a_message_that_was_made_at_the_same_time_is_not_sent() {
    let desk = Desk::open().await;
    let user_id = testkit::new_id::<UserId>();
    desk.compose(&[registered(user_id), confirmed(user_id)])
        .await;
    // The person is erased between the look at how to reach them and the
    // message, which is then left over.
    let order = confirmed(user_id);
    desk.compose(std::slice::from_ref(&order)).await;
    let left_over = desk.notifications().await.pop().unwrap();
    desk.compose(&[erased(user_id)]).await;
    let item = serde_dynamo::to_item(&left_over).unwrap();
    let table = desk.table.table();
    let put = table.client().put_item().table_name(table.name());
    put.set_item(Some(item)).send().await.unwrap();
    assert_eq!(desk.deliver_all().await, 0);
    assert_eq!(desk.statuses().await, ["failed"]);
    let left = format!("{:?}", desk.table.items().await);
    for personal in ["example.com", "kettle"] {
        assert!(!left.contains(personal), "{left}");
    }
    assert!(desk.mailer.mails().is_empty());
}
