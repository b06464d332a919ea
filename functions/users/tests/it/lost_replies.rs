//! Lost replies of the table: the SDK repeats the write, which finds that its
//! first attempt has succeeded. Nothing that a user sees or that is stored
//! differs, whichever reply is lost.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{LostReplies, TestTable, status::*};
use users::store::SCHEMA;

use crate::{
    close_account::GRACE,
    fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers, full_address},
    mfa_fixture::log_in_body,
};

const ADA: &str = "ada@example.com";
const NEW: &str = "new@example.com";
const THIRD_PASSWORD: &str = "nine herons read the news";
/// Requests are counted by an update that counts twice when its reply is lost,
/// and so may take another way: one too many does no harm (`dynamo::RateLimit`).
const LIMITS: &str = "LIMIT#";
/// Every fifth reply is lost, beginning with another one in each of five runs:
/// together they lose each reply once.
const PERIOD: usize = 5;

/// How many items of each kind the table contains, with what they count.
type Summary = BTreeMap<String, usize>;

/// Makes every write that the service makes for a user, one after the other;
/// summarises the table after each part.
async fn life_of_an_account(losses: &LostReplies) -> Vec<Summary> {
    let users = TestUsers::on(TestTable::create(&SCHEMA).await.losing(losses).await);
    let mut summaries = Vec::new();
    let ada = users.register(ADA).await;
    let token = users.mailed_token("user.registered").await;
    users.verify_email_in_session(&ada, &token).await;
    users.log_in(ADA, "not the password", UNAUTHORIZED).await;
    let ada = Person::of(&users.refresh(&ada.refresh, OK).await);
    summaries.push(summary(&users).await);

    let name = json!({"name": "Ada King"});
    users.update_profile(&ada, &name, OK).await;
    let email = json!({"email": NEW, "currentPassword": PASSWORD});
    users.update_profile(&ada, &email, OK).await;
    let token = users.mailed_token("user.verification_requested").await;
    users.verify_email_in_session(&ada, &token).await;
    users.add_address(&ada, &full_address()).await;
    let passwords = (PASSWORD, NEW_PASSWORD);
    users.change_password(&ada, passwords, OK).await;
    summaries.push(summary(&users).await);

    let token = users.request_password_reset(NEW).await;
    users.reset_password(&token, THIRD_PASSWORD, OK).await;
    let ada = Person::of(&users.log_in(NEW, THIRD_PASSWORD, OK).await);
    let secret = users.enable_mfa(&ada).await;
    users.advance(SignedDuration::from_secs(60));
    let body = log_in_body(NEW, THIRD_PASSWORD, &users.code(&secret, 0));
    let reply = users.client().post("/api/auth/login", &body, OK).await;
    let ada = Person::of(&reply);
    users.advance(SignedDuration::from_secs(60));
    users.disable_mfa(&ada, &users.code(&secret, 0), OK).await;
    summaries.push(summary(&users).await);

    for change in [
        json!({"role": "moderator"}),
        json!({"status": "suspended"}),
        json!({"status": "active"}),
    ] {
        users.update(ada.id, &change, OK).await;
    }
    let ada = Person::of(&users.log_in(NEW, THIRD_PASSWORD, OK).await);
    users.close_account(&ada, THIRD_PASSWORD, OK).await;
    let ada = Person::of(&users.log_in(NEW, THIRD_PASSWORD, OK).await);
    users.log_out(&ada, &json!({})).await;
    let ada = Person::of(&users.log_in(NEW, THIRD_PASSWORD, OK).await);
    users.close_account(&ada, THIRD_PASSWORD, OK).await;
    summaries.push(summary(&users).await);

    users.publish_events().await;
    users.advance(GRACE);
    assert_eq!(users.erase_accounts().await, 1);
    summaries.push(summary(&users).await);
    summaries
}

async fn summary(users: &TestUsers) -> Summary {
    let mut summary = Summary::new();
    for item in users.table.items().await {
        let item: Value = serde_dynamo::from_item(item).unwrap();
        let key = |name: &str| item[name].as_str().unwrap();
        if key("pk").starts_with(LIMITS) {
            continue;
        }
        *summary.entry(description(&item)).or_default() += 1;
    }
    summary
}

/// What must not differ: the kind of the item, its members, and what they count.
fn description(item: &Value) -> String {
    let kind = |name: &str| item[name].as_str().unwrap().split('#').next().unwrap();
    let event: Value = item["event"]
        .as_str()
        .map_or(Value::Null, |event| serde_json::from_str(event).unwrap());
    let members = item.as_object().unwrap();
    let names: Vec<&String> = members.keys().collect();
    let counters = ["version", "session_epoch", "sign_ins", "status", "email"];
    let mut values = counters.map(|name| item[name].to_string()).to_vec();
    if kind("pk") == "COUNTS" {
        let numbers = members.values().filter(|value| value.is_number());
        values.extend(numbers.map(Value::to_string));
    }
    let failures = item["failures"].as_array().map(Vec::len);
    let (pk, sk, event) = (kind("pk"), kind("sk"), &event["type"]);
    format!("{pk} {sk} {event} {names:?} {values:?} {failures:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_ends_up_the_same_whichever_reply_is_lost() {
    let none = LostReplies::default().except(LIMITS);
    let expected = &life_of_an_account(&none).await;
    let writes = none.writes();
    assert!(writes > 30, "{writes}");
    let runs = (0..PERIOD).map(|first| async move {
        let losses = LostReplies::every(PERIOD, first).except(LIMITS);
        let found = life_of_an_account(&losses).await;
        assert_eq!(losses.writes(), writes, "from {first} on");
        for (part, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "from {first} on, part {part}");
        }
        losses.lost()
    });
    let lost: usize = join_all(runs).await.into_iter().sum();
    assert_eq!(lost, writes, "each once");
}
