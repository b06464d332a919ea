//! Whatever reply of the store gets lost, nothing is different: the SDK makes the
//! write again, and what finds its own first try has succeeded.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use kernel::SignedDuration;
use kernel::Role;
use serde_json::{Value, json};
use testkit::{LostReplies, TestTable, status::*};
use users::{app::App, events::erase_accounts::erase_accounts, store::SCHEMA};

use crate::{
    mfa::code,
    shop::{PASSWORD, Person, Shop},
};

const ADA: &str = "ada@example.com";
const NEW: &str = "new@example.com";
const SECOND: &str = "seven otters paint the moon";
const THIRD: &str = "nine herons read the news";
/// A request counts twice towards a limit when its reply is lost, and takes
/// another way the second time: that is on the safe side (`dynamo::RateLimit`).
const LIMITS: &str = "LIMIT#";
/// Every how many replies one is lost in a life: so many lives lose each once.
const EVERY: usize = 5;

/// What a life of an account leaves behind: how many items there are of each
/// kind, and what was counted in them.
type Rest = BTreeMap<String, usize>;

/// Every write that the service makes for a person, one after the other; each
/// reply is the same whatever gets lost.
async fn life(losses: &LostReplies) -> Vec<Rest> {
    let shop = Shop::open_on(TestTable::create(&SCHEMA).await.losing(losses)).await;
    let mut rests = Vec::new();
    let ada = shop.register(ADA).await;
    verify(&shop, "user.registered").await;
    shop.log_in(ADA, "not the password", UNAUTHORIZED).await;
    let ada = Person::of(&shop.refresh(&ada.refresh, OK).await);
    rests.push(rest(&shop).await);

    let profile = ada.client(&shop.update_profile);
    let path = "/api/users/profile";
    profile.put(path, &json!({"name": "Ada King"}), OK).await;
    let email = json!({"email": NEW, "currentPassword": PASSWORD});
    profile.put(path, &email, OK).await;
    verify(&shop, "user.verification_requested").await;
    let address = json!({"name": "Ada", "line1": "12 St James's Square", "city": "London",
        "postalCode": "SW1Y 4JH", "country": "GB"});
    let book = ada.client(&shop.add_address);
    book.post("/api/users/addresses", &address, CREATED).await;
    let passwords = json!({"currentPassword": PASSWORD, "newPassword": SECOND});
    let password = ada.client(&shop.change_password);
    password.put("/api/users/password", &passwords, OK).await;
    rests.push(rest(&shop).await);

    let forgot = json!({ "email": NEW });
    shop.forgot
        .post("/api/auth/forgot-password", &forgot, ACCEPTED)
        .await;
    let token = shop.mailed_token("user.password_reset_requested").await;
    let reset = json!({"token": token, "password": THIRD});
    shop.reset
        .post("/api/auth/reset-password", &reset, OK)
        .await;
    let ada = Person::of(&shop.log_in(NEW, THIRD, OK).await);
    let secret = shop.enroll(&ada).await;
    shop.confirm(&ada, &code(&secret, &shop.clock, 0), OK).await;
    shop.clock.advance(SignedDuration::from_secs(60));
    let with = json!({"email": NEW, "password": THIRD, "otp": code(&secret, &shop.clock, 0)});
    let ada = Person::of(&shop.log_in.post("/api/auth/login", &with, OK).await);
    shop.clock.advance(SignedDuration::from_secs(60));
    shop.disable(&ada, &code(&secret, &shop.clock, 0), OK).await;
    rests.push(rest(&shop).await);

    shop.update(ada.id, &json!({"role": "moderator"}), OK).await;
    shop.update(ada.id, &json!({"status": "suspended"}), OK)
        .await;
    shop.update(ada.id, &json!({"status": "active"}), OK).await;
    let ada = Person::of(&shop.log_in(NEW, THIRD, OK).await);
    let close = json!({ "currentPassword": THIRD });
    let closing = ada.client(&shop.close);
    closing.post("/api/users/close", &close, OK).await;
    let ada = Person::of(&shop.log_in(NEW, THIRD, OK).await);
    let out = shop
        .log_out
        .as_session(ada.id, ada.session_id(), Role::User);
    out.post("/api/auth/logout", &json!({}), OK).await;
    let ada = Person::of(&shop.log_in(NEW, THIRD, OK).await);
    let closing = ada.client(&shop.close);
    closing.post("/api/users/close", &close, OK).await;
    rests.push(rest(&shop).await);

    crate::close_account::publish(&shop).await;
    shop.clock.advance(SignedDuration::from_hours(30 * 24));
    let eraser = Arc::new(App::new(shop.table.table(), shop.clock.clone()));
    assert_eq!(erase_accounts(eraser).await.unwrap().erased, 1);
    rests.push(rest(&shop).await);
    rests
}

/// Follows the link in the mail that an event asked for.
async fn verify(shop: &Shop, event_type: &str) {
    let body = json!({ "token": shop.mailed_token(event_type).await });
    let path = "/api/auth/verify-email";
    shop.verify_email.post(path, &body, OK).await;
}

async fn rest(shop: &Shop) -> Rest {
    let mut rest = Rest::new();
    for item in shop.table.items().await {
        let item: Value = serde_dynamo::from_item(item).unwrap();
        let kind = |name: &str| {
            item[name]
                .as_str()
                .unwrap()
                .split('#')
                .next()
                .unwrap()
                .to_owned()
        };
        if format!("{}#", kind("pk")) == LIMITS {
            continue;
        }
        let event: Value = item["event"]
            .as_str()
            .map_or(Value::Null, |event| serde_json::from_str(event).unwrap());
        let members: Vec<&String> = item.as_object().unwrap().keys().collect();
        let counted = ["version", "session_epoch", "sign_ins", "status", "email"];
        let mut counted = counted.map(|name| item[name].to_string()).to_vec();
        if kind("pk") == "COUNTS" {
            let groups = item.as_object().unwrap().iter();
            counted.extend(
                groups
                    .filter(|(_, value)| value.is_number())
                    .map(|(_, n)| n.to_string()),
            );
        }
        let failures = item["failures"].as_array().map(Vec::len);
        let (pk, sk, event) = (kind("pk"), kind("sk"), &event["type"]);
        let of = format!("{pk} {sk} {event} {members:?} {counted:?} {failures:?}");
        *rest.entry(of).or_default() += 1;
    }
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_with_any_reply_lost_is_the_same_life() {
    let none = LostReplies::default().but(LIMITS);
    let expected = &life(&none).await;
    let writes = none.writes();
    assert!(writes > 30, "{writes}");
    let lives = (0..EVERY).map(|first| async move {
        let losses = LostReplies::every(EVERY, first).but(LIMITS);
        let found = life(&losses).await;
        assert_eq!(losses.writes(), writes, "from {first} on");
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "from {first} on, part {at}");
        }
        losses.lost()
    });
    let lost: usize = join_all(lives).await.into_iter().sum();
    assert_eq!(lost, writes, "each once");
}
