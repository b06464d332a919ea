//! The items of the table.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dynamo::Key;
use kernel::{EventId, Role, SessionId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Guess, LoginFailures, SecondFactor, Session, Source, Status, User};

pub(super) const USER: &str = "USER";
/// The prefix of sessions. They sort right before the second factor and the user,
/// so that one query reads all three.
pub(super) const SESSIONS: &str = "SESSION#";
pub(super) const EVENTS: &str = "EVENT#";

/// An item: its key and its content.
#[derive(Serialize)]
pub(super) struct Row<'a, T> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    body: &'a T,
    /// For DynamoDB's time to live, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl<'a, T> Row<'a, T> {
    pub(super) fn new(key: Key, body: &'a T) -> Self {
        Self {
            pk: key.pk,
            sk: key.sk,
            body,
            expires_at: None,
        }
    }

    pub(super) fn expiring(key: Key, body: &'a T, at: Timestamp) -> Self {
        Self {
            expires_at: Some(at.as_second()),
            ..Self::new(key, body)
        }
    }
}

/// The one partition of the index of closed accounts; there are never many.
pub(super) const CLOSING: &str = "1";

/// A user as an item, with its index keys.
#[derive(Serialize)]
pub(super) struct UserItem<'a> {
    #[serde(flatten)]
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closing: Option<&'static str>,
}

impl<'a> UserItem<'a> {
    pub(super) fn new(user: &'a User) -> Self {
        Self {
            user,
            // A tombstone is not listed.
            listed: (!user.erasing).then(|| group(user.status, user.role)),
            closing: user.erase_at.map(|_| CLOSING),
        }
    }
}

/// The users with a status and a role: a partition of the index, and a count.
pub(super) fn group(status: Status, role: Role) -> String {
    format!("{}_{}", status.as_str(), role.as_str())
}

/// An item of any kind, for calls that read several; the kind follows from the
/// attributes.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AnyItem {
    User(Box<User>),
    Session(Session),
    LoginFailures(CountedFailures),
    Factor(SecondFactor),
    Email(EmailOwner),
}

/// A counter of failures; its key tells which.
#[derive(Deserialize)]
pub(super) struct CountedFailures {
    pub(super) pk: String,
    #[serde(flatten)]
    pub(super) failures: LoginFailures,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct EmailOwner {
    #[serde(rename = "owner_id")]
    pub(super) user_id: UserId,
}

pub(super) fn user_key(id: UserId) -> Key {
    Key::new(user_partition(id), USER)
}

pub(super) fn user_partition(id: UserId) -> String {
    format!("USER#{id}")
}

pub(super) fn session_key(user_id: UserId, id: SessionId) -> Key {
    Key::new(user_partition(user_id), format!("{SESSIONS}{id}"))
}

/// Sorts between the sessions and the user: see [`SESSIONS`].
pub(super) fn factor_key(user_id: UserId) -> Key {
    Key::new(user_partition(user_id), "TOTP")
}

pub(super) fn addresses_key(user_id: UserId) -> Key {
    Key::new(user_partition(user_id), "ADDRESSES")
}

pub(super) fn email_key(email: &str) -> Key {
    Key::new(format!("EMAIL#{email}"), "EMAIL")
}

/// The failures of all unknown devices. Hashed, because people mistype passwords as
/// addresses.
pub(super) fn address_failures_key(email: &str) -> Key {
    failures_key(email)
}

/// The failures of a device, network or session with an address.
pub(super) fn source_failures_key(Guess { email, source }: Guess<'_>) -> Key {
    failures_key(&match source {
        Source::Device(id) => format!("{email}\ndevice\n{id}"),
        Source::Network(network) => format!("{email}\nnetwork\n{network}"),
        Source::Session(id) => format!("{email}\nsession\n{id}"),
    })
}

fn failures_key(of: &str) -> Key {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(of));
    Key::new(format!("ATTEMPTS#{hash}"), "ATTEMPTS")
}

pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Event ids sort by time, and so do a user's events.
pub(super) fn event_key(user_id: UserId, id: EventId) -> Key {
    Key::new(user_partition(user_id), format!("{EVENTS}{id}"))
}
