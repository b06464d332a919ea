//! How often somebody signed in may change what sends its owner a notice.

use kernel::SignedDuration;
use testkit::{Reply, status::*};

use crate::fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers};

const ADA: &str = "ada@example.com";

fn assert_limited(reply: &Reply, policy: &str) {
    assert_eq!(reply.body["code"], "too_many_requests");
    assert_eq!(reply.header("ratelimit-policy"), Some(policy));
    assert_eq!(reply.header("ratelimit-remaining"), Some("0"));
    assert!(reply.header("retry-after").is_some());
}

#[tokio::test]
async fn a_user_changes_the_password_five_times_an_hour() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    // What is refused for another reason is not counted.
    for _ in 0..4 {
        let wrong = (NEW_PASSWORD, "another otter paints the sun");
        let refused = UNPROCESSABLE_ENTITY;
        users.change_password(&ada, wrong, refused).await;
    }
    let passwords = [PASSWORD, NEW_PASSWORD];
    for n in 0..5 {
        let change = (passwords[n % 2], passwords[(n + 1) % 2]);
        let reply = users.change_password(&ada, change, OK).await;
        let remaining = (4 - n).to_string();
        let header = reply.header("ratelimit-remaining");
        assert_eq!(header, Some(remaining.as_str()));
    }
    let sixth = (NEW_PASSWORD, PASSWORD);
    let reply = users.change_password(&ada, sixth, TOO_MANY_REQUESTS).await;
    assert_limited(&reply, "5;w=3600");
    users.log_in(ADA, NEW_PASSWORD, OK).await;
    let bob = users.register("bob@example.com").await;
    users
        .change_password(&bob, (PASSWORD, NEW_PASSWORD), OK)
        .await;
    users.advance(SignedDuration::from_hours(2));
    users.change_password(&ada, sixth, OK).await;
}

#[tokio::test]
async fn an_account_is_closed_five_times_a_day() {
    let users = TestUsers::new().await;
    let mut ada = users.register(ADA).await;
    for _ in 0..5 {
        let reply = users.close_account(&ada, PASSWORD, OK).await;
        assert_eq!(reply.header("ratelimit-policy"), Some("5;w=86400"));
        ada = Person::of(&users.log_in(ADA, PASSWORD, OK).await);
    }
    let reply = users.close_account(&ada, PASSWORD, TOO_MANY_REQUESTS).await;
    assert_limited(&reply, "5;w=86400");
    assert_eq!(users.authorize(&ada.token).await, "user");
    users.advance(SignedDuration::from_hours(48));
    users.close_account(&ada, PASSWORD, OK).await;
}

#[tokio::test]
async fn the_second_factor_is_enabled_and_disabled_ten_times_an_hour() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    let step = SignedDuration::from_secs(30);
    for _ in 0..5 {
        let secret = users.enable_mfa(&ada).await;
        users.advance(step);
        let code = users.code(&secret, 0);
        let reply = users.disable_mfa(&ada, &code, OK).await;
        assert_eq!(reply.header("ratelimit-policy"), Some("10;w=3600"));
    }
    let secret = users.enroll_mfa(&ada).await;
    let code = users.code(&secret, 0);
    let reply = users.confirm_mfa(&ada, &code, TOO_MANY_REQUESTS).await;
    assert_limited(&reply, "10;w=3600");
    assert!(!users.mfa_enabled(&ada).await);
}
