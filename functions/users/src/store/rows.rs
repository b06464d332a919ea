//! The items of the table.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::Envelope;
use dynamo::Key;
use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use kernel::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Attempts, SecondFactor, Session, Status, User};

/// The sort key of a user's own item.
pub(super) const USER: &str = "USER";
/// How the sort keys of a user's sessions begin. They stand right before the
/// user's own item: one query reads both.
pub(super) const SESSIONS: &str = "SESSION#";
/// How the sort keys of a user's events begin.
pub(super) const EVENTS: &str = "EVENT#";

/// An item with its key around what it is about.
#[derive(Serialize)]
pub(super) struct Row<'a, T> {
    pk: String,
    sk: String,
    #[serde(flatten)]
    body: &'a T,
    /// When DynamoDB may delete it, in seconds since the Unix epoch.
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

/// The partition of the index of accounts that are to be erased; there are
/// never many.
pub(super) const CLOSING: &str = "1";

/// A user as an item: with the partitions of the indexes it is in.
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
            // Who is being erased is nobody to list.
            listed: (!user.erasing).then(|| group(user.status, user.role)),
            closing: user.erase_at.map(|_| CLOSING),
        }
    }
}

/// The name of those who have a status and a role.
pub(super) fn group(status: Status, role: Role) -> String {
    format!("{}_{}", status.as_str(), role.as_str())
}

/// An item of whichever kind, when several are read at once; what it is shows
/// in what it has.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Found {
    User(Box<User>),
    Session(Session),
    Attempts(Attempts),
    Factor(SecondFactor),
    Email(EmailOwner),
}

/// Whose an address is.
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

/// Beside the user, so that all of a person's sessions are one query.
pub(super) fn session_key(user_id: UserId, id: SessionId) -> Key {
    Key::new(user_partition(user_id), format!("{SESSIONS}{id}"))
}

/// Between the sessions and the user's own item, so that the query of both
/// reads it too.
pub(super) fn factor_key(user_id: UserId) -> Key {
    Key::new(user_partition(user_id), "TOTP")
}

pub(super) fn addresses_key(user_id: UserId) -> Key {
    Key::new(user_partition(user_id), "ADDRESSES")
}

pub(super) fn email_key(email: &str) -> Key {
    Key::new(format!("EMAIL#{email}"), "EMAIL")
}

/// Hashed, so that what people mistype here is not kept.
pub(super) fn attempts_key(email: &str) -> Key {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(email));
    Key::new(format!("ATTEMPTS#{hash}"), "ATTEMPTS")
}

pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Event ids sort by time, and so do a user's events.
pub(super) fn event_sort_key(event: &Envelope) -> String {
    format!("{EVENTS}{}", event.id)
}
