//! Guessing passwords and codes: a lock slows down those who guess, and does not shut out
//! the owner.

use futures_util::future::join_all;
use http::Method;
use kernel::SignedDuration;
use serde_json::{Value, json};
use testkit::{Reply, status::*};
use users::{
    credentials::passwords::PasswordCheck,
    domain::{Registration, Source},
    store::{LogIn, Origin, StoreLogInError},
};

use crate::{
    fixture::{NEW_PASSWORD, PASSWORD, Person, TestUsers, password_log_in},
    guess_fixture::{NETWORK, guess},
    mfa_fixture::log_in_body,
};

const ADA: &str = "ada@example.com";
const PATH: &str = "/api/auth/login";
const WRONG: &str = "wrong horse battery";
const LOCKOUT: SignedDuration = SignedDuration::from_mins(15);
const OWNER: &str = "192.0.2.77";

/// The address of a host in the `n`th network.
fn network(n: usize) -> String {
    format!("198.51.{}.{}", n / 250, n % 250)
}

fn with_device(email: &str, password: &str, device: &str) -> Value {
    json!({"email": email, "password": password, "deviceToken": device})
}

fn device_token(reply: &Reply) -> String {
    let token = reply.body["data"]["deviceToken"].as_str();
    token.expect("a device token").to_owned()
}

impl TestUsers {
    /// Tries to log in from an IP address.
    async fn log_in_from(&self, ip: &str, body: &Value, expected: StatusCode) -> Reply {
        let client = self.client().from_ip(ip);
        client.post(PATH, body, expected).await
    }

    /// Guesses the password from as many networks as it takes to lock all unknown devices.
    async fn lock_unknown_devices(&self, email: &str) {
        for n in 0..4 {
            self.lock_network(email, &network(n)).await;
        }
    }

    async fn lock_network(&self, email: &str, ip: &str) {
        let body = json!({"email": email, "password": WRONG});
        for _ in 0..5 {
            self.log_in_from(ip, &body, UNAUTHORIZED).await;
        }
    }

    /// Somebody with a new account, and the token of their device.
    async fn register_device(&self, email: &str) -> (Person, String) {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada Lovelace"});
        let reply = self
            .client()
            .post("/api/auth/register", &body, CREATED)
            .await;
        (Person::of(&reply), device_token(&reply))
    }
}

#[tokio::test]
async fn guessing_in_one_network_does_not_keep_the_owner_in_another_out() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    for attacker in ["198.51.100.7", "2001:db8:1:2::7"] {
        // As many as would lock all unknown devices, if they came from several networks.
        for _ in 0..4 {
            users.lock_network(ADA, attacker).await;
        }
        let right = json!({"email": ADA, "password": PASSWORD});
        users.log_in_from(attacker, &right, UNAUTHORIZED).await;
        users.log_in_from(OWNER, &right, OK).await;
    }
    // Another host of the same customer is the same network.
    users.lock_network(ADA, "2001:db8:1:2::7").await;
    let right = json!({"email": ADA, "password": PASSWORD});
    let neighbour = "2001:db8:1:2:ffff::9";
    users.log_in_from(neighbour, &right, UNAUTHORIZED).await;
}

#[tokio::test]
async fn guessing_from_many_networks_locks_unknown_devices_and_not_a_known_one() {
    let users = TestUsers::new().await;
    let (_, device) = users.register_device(ADA).await;
    let right = json!({"email": ADA, "password": PASSWORD});
    for n in 0..3 {
        users.lock_network(ADA, &network(n)).await;
        users.log_in_from(&network(n), &right, UNAUTHORIZED).await;
    }
    users.lock_network(ADA, &network(3)).await;
    users.log_in_from(OWNER, &right, UNAUTHORIZED).await;
    let known = with_device(ADA, PASSWORD, &device);
    let reply = users.log_in_from(OWNER, &known, OK).await;
    // The token in the reply is of the same device, and what strangers did remains.
    let renewed = with_device(ADA, PASSWORD, &device_token(&reply));
    users.log_in_from(&network(0), &renewed, OK).await;
    users.log_in_from(OWNER, &right, UNAUTHORIZED).await;
    users.advance(LOCKOUT);
    users.log_in_from(OWNER, &right, OK).await;
}

#[tokio::test]
async fn a_known_device_is_locked_by_its_own_failures() {
    let users = TestUsers::new().await;
    let (_, device) = users.register_device(ADA).await;
    let other = device_token(&users.log_in(ADA, PASSWORD, OK).await);
    let wrong = with_device(ADA, WRONG, &device);
    for n in 0..5 {
        // Wherever it is.
        users.log_in_from(&network(n), &wrong, UNAUTHORIZED).await;
    }
    let right = with_device(ADA, PASSWORD, &device);
    users.log_in_from(OWNER, &right, UNAUTHORIZED).await;
    // Neither other devices nor networks are concerned.
    users
        .log_in_from(OWNER, &with_device(ADA, PASSWORD, &other), OK)
        .await;
    users.log_in(ADA, PASSWORD, OK).await;
    users.advance(LOCKOUT);
    users.log_in_from(OWNER, &right, OK).await;
}

#[tokio::test]
async fn each_lock_of_unknown_devices_is_twice_as_long_up_to_four_hours() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    let right = json!({"email": ADA, "password": PASSWORD});
    for minutes in [15, 30, 60, 120, 240, 240] {
        users.lock_unknown_devices(ADA).await;
        let almost = SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1);
        users.advance(almost);
        users.log_in_from(OWNER, &right, UNAUTHORIZED).await;
        users.advance(SignedDuration::from_secs(1));
        users.lock_network("nobody@example.com", OWNER).await;
    }
    users.log_in_from(OWNER, &right, OK).await;
    // The login has cleared them.
    users.lock_unknown_devices(ADA).await;
    users.advance(LOCKOUT);
    users.log_in_from(OWNER, &right, OK).await;
}

#[tokio::test]
async fn pausing_between_guesses_does_not_evade_the_lock_of_unknown_devices() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    let wrong = json!({"email": ADA, "password": WRONG});
    for _ in 0..5 {
        for _ in 0..4 {
            users.log_in_from(OWNER, &wrong, UNAUTHORIZED).await;
        }
        users.advance(LOCKOUT);
    }
    users.advance(-LOCKOUT);
    users.log_in(ADA, PASSWORD, UNAUTHORIZED).await;
}

#[tokio::test]
async fn after_a_reset_the_owner_logs_in_with_a_code_while_strangers_go_on_locking() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    users.lock_unknown_devices(ADA).await;
    let token = users.request_password_reset(ADA).await;
    let reply = users.reset_password(&token, NEW_PASSWORD, OK).await;
    let device = device_token(&reply);
    for _ in 0..2 {
        users.lock_unknown_devices(ADA).await;
        users.lock_network(ADA, OWNER).await;
        let mut body = log_in_body(ADA, NEW_PASSWORD, &users.code(&ada.secret, 0));
        users.log_in_from(OWNER, &body, UNAUTHORIZED).await;
        body["deviceToken"] = json!(device);
        users.log_in_from(OWNER, &body, OK).await;
        users.advance(LOCKOUT);
    }
}

#[tokio::test]
async fn a_reset_unlocks_unknown_devices_unless_codes_may_be_guessed() {
    for has_factor in [false, true] {
        let users = TestUsers::new().await;
        if has_factor {
            users.register_with_mfa(ADA).await;
        } else {
            users.register(ADA).await;
        }
        users.lock_unknown_devices(ADA).await;
        let token = users.request_password_reset(ADA).await;
        users.reset_password(&token, NEW_PASSWORD, OK).await;
        let body = json!({"email": ADA, "password": NEW_PASSWORD});
        let expected = if has_factor { UNAUTHORIZED } else { OK };
        let reply = users.log_in_from(OWNER, &body, expected).await;
        if has_factor {
            assert_eq!(reply.body["code"], "invalid_credentials");
        }
    }
}

#[tokio::test]
async fn a_device_token_that_is_not_the_accounts_or_is_outdated_gives_nothing() {
    let users = TestUsers::new().await;
    let (ada, before_change) = users.register_device(ADA).await;
    let (_, of_bob) = users.register_device("bob@example.com").await;
    users
        .change_password(&ada, (PASSWORD, NEW_PASSWORD), OK)
        .await;
    let reply = users.log_in(ADA, NEW_PASSWORD, OK).await;
    let before_reset = device_token(&reply);
    let token = users.request_password_reset(ADA).await;
    let reply = users.reset_password(&token, PASSWORD, OK).await;
    let valid = device_token(&reply);
    let mut forged = valid.clone().into_bytes();
    forged[70] = if forged[70] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();

    users.lock_unknown_devices(ADA).await;
    for none in ["", "x", &of_bob, &before_change, &before_reset, &forged] {
        let body = with_device(ADA, PASSWORD, none);
        let reply = users.log_in_from(OWNER, &body, UNAUTHORIZED).await;
        assert_eq!(reply.body["code"], "invalid_credentials", "{none}");
    }
    // Nor do guesses with them escape the lock of their network.
    users.advance(LOCKOUT);
    for none in ["", "x", &of_bob, &before_change, &forged] {
        let body = with_device(ADA, WRONG, none);
        users.log_in_from(OWNER, &body, UNAUTHORIZED).await;
    }
    let right = with_device(ADA, PASSWORD, "");
    users.log_in_from(OWNER, &right, UNAUTHORIZED).await;
    let body = with_device(ADA, PASSWORD, &valid);
    users.log_in_from(OWNER, &body, OK).await;
    users.advance(SignedDuration::from_hours(180 * 24));
    users.lock_network(ADA, OWNER).await;
    users.log_in_from(OWNER, &body, UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_device_token_gives_no_access() {
    let users = TestUsers::new().await;
    let (ada, device) = users.register_device(ADA).await;
    assert_eq!(users.authorize(&device).await, "token_invalid");
    users.refresh(&device, UNAUTHORIZED).await;
    users
        .reset_password(&device, NEW_PASSWORD, UNPROCESSABLE_ENTITY)
        .await;
    let body = json!({"email": ADA, "deviceToken": device});
    let reply = users.log_in_from(OWNER, &body, UNPROCESSABLE_ENTITY).await;
    assert_eq!(reply.invalid_fields(), ["/password"]);
    // It is not stored, and refreshing does not show it.
    let at_rest = format!("{:?}", users.table.items().await);
    assert!(!at_rest.contains(&device));
    let refreshed = users.refresh(&ada.refresh, OK).await;
    assert!(refreshed.body["data"].get("deviceToken").is_none());
}

#[tokio::test]
async fn guessing_in_parallel_from_many_networks_is_bounded() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    let body = json!({"email": ADA, "password": WRONG}).to_string();
    let guesses = (0..26).map(|n| {
        let client = users.client().from_ip(&network(n));
        client.exchange(Method::POST, PATH, Some(body.clone()))
    });
    for reply in join_all(guesses).await {
        assert_eq!(reply.status, UNAUTHORIZED);
    }
    assert_eq!(users.failures().await, 20, "none is recorded past the lock");
    users.log_in(ADA, PASSWORD, UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_login_decided_before_unknown_devices_were_locked_is_rejected() {
    let users = TestUsers::new().await;
    users.register(ADA).await;
    let now = users.clock().now();
    let origin = Origin {
        device: None,
        network: OWNER,
    };
    let source = &Source::Network(OWNER.into());
    let candidate = users.store().candidate(ADA, origin).await.unwrap();
    let right = PasswordCheck::Match {
        needs_rehash: false,
    };
    let authenticated = candidate.authenticate(right, source, Registration::Open, now);
    let user = authenticated.expect("not locked yet").user;
    users.lock_unknown_devices(ADA).await;
    let session = users.new_session(&user);
    let log_in = LogIn {
        source,
        ..password_log_in(&user, &session)
    };
    let rejected = users.store().log_in(log_in).await;
    assert!(
        matches!(rejected, Err(StoreLogInError::Locked)),
        "{rejected:?}"
    );
}

#[tokio::test]
async fn whoever_has_the_password_gets_twenty_guesses_at_codes_from_all_networks() {
    let users = TestUsers::new().await;
    let ada = users.register_with_mfa(ADA).await;
    for n in 0..4 {
        for _ in 0..5 {
            let wrong = log_in_body(ADA, PASSWORD, "000000");
            let reply = users.log_in_from(&network(n), &wrong, UNAUTHORIZED).await;
            assert_eq!(reply.body["code"], "invalid_otp");
        }
    }
    let right = log_in_body(ADA, PASSWORD, &users.code(&ada.secret, 0));
    let alone = json!({"email": ADA, "password": PASSWORD});
    for body in [right, alone] {
        let reply = users.log_in_from(OWNER, &body, UNAUTHORIZED).await;
        assert_eq!(reply.body["code"], "invalid_credentials");
    }
}

#[tokio::test]
async fn guesses_elsewhere_do_not_keep_a_signed_in_owner_from_changing_the_password() {
    let users = TestUsers::new().await;
    let ada = users.register(ADA).await;
    users.lock_unknown_devices(ADA).await;
    users.lock_network(ADA, NETWORK).await;
    users
        .change_password(&ada, (PASSWORD, NEW_PASSWORD), OK)
        .await;
}

/// The work must reveal neither a lock nor whether there is an account, and a device token
/// that is not the account's must not change it.
#[tokio::test]
async fn every_failed_login_makes_the_same_calls_whatever_is_locked() {
    let mut users = TestUsers::new().await;
    let (_, of_bob) = users.register_device("bob@example.com").await;
    users.register(ADA).await;
    users.register("locked@example.com").await;
    for locked in ["locked@example.com", "unknown@example.com"] {
        users.lock_unknown_devices(locked).await;
    }
    users.advance(SignedDuration::from_secs(1));
    users.lock_network("nobody@example.com", OWNER).await;
    let (calls, client) = users.recorded("log-in").await;
    let client = client.from_ip(OWNER);
    for email in [
        ADA,
        "free@example.com",
        "locked@example.com",
        "unknown@example.com",
        "nobody@example.com",
    ] {
        for device in [None, Some(&*of_bob), Some("nonsense")] {
            let mut body = json!({"email": email, "password": WRONG});
            body["deviceToken"] = json!(device);
            client.post(PATH, &body, UNAUTHORIZED).await;
            let expected = [
                "UpdateItem",
                "BatchGetItem",
                "Query",
                "UpdateItem",
                "UpdateItem",
            ];
            assert_eq!(calls.take(), expected, "{email} {device:?}");
        }
    }
    let locked = users.store();
    let locked = locked.login_failures(guess("locked@example.com")).await;
    assert!(locked.unwrap().is_locked(users.clock().now()));
}

#[tokio::test]
async fn one_network_locks_unknown_devices_only_by_guessing_for_45_minutes() {
    let users = TestUsers::new().await;
    let (_, device) = users.register_device(ADA).await;
    for counted in [5, 10, 15, 20] {
        users.lock_network(ADA, &network(0)).await;
        users.lock_network(ADA, &network(0)).await;
        assert_eq!(users.failures().await, counted);
        users.advance(LOCKOUT);
    }
    users.advance(-LOCKOUT);
    users.log_in(ADA, PASSWORD, UNAUTHORIZED).await;
    let known = with_device(ADA, PASSWORD, &device);
    users.log_in_from(OWNER, &known, OK).await;
}
