//! The items of the table.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dynamo::Key;
use kernel::{SessionId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Attempts, Email, Session, User};

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

/// An item of whichever kind, when several are read at once.
#[derive(Deserialize)]
#[serde(tag = "sk")]
pub(super) enum Found {
    #[serde(rename = "USER")]
    User(Box<User>),
    #[serde(rename = "SESSION")]
    Session(Session),
    #[serde(rename = "EMAIL")]
    Email(EmailOwner),
    #[serde(rename = "ATTEMPTS")]
    Attempts(Attempts),
}

/// Whose an address is.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct EmailOwner {
    pub(super) user_id: UserId,
}

/// What a verification token verifies.
#[derive(Serialize)]
pub(super) struct Verification<'a> {
    pub(super) user_id: UserId,
    pub(super) email: &'a Email,
    /// Until when, in milliseconds since the Unix epoch; DynamoDB deletes late.
    pub(super) usable_until: i64,
}

pub(super) fn user_key(id: UserId) -> Key {
    Key::new(user_partition(id), "USER")
}

pub(super) fn user_partition(id: UserId) -> String {
    format!("USER#{id}")
}

pub(super) fn session_key(id: SessionId) -> Key {
    Key::new(format!("SESSION#{id}"), "SESSION")
}

pub(super) fn email_key(email: &str) -> Key {
    Key::new(format!("EMAIL#{email}"), "EMAIL")
}

pub(super) fn verification_key(token_hash: &str) -> Key {
    Key::new(format!("VERIFICATION#{token_hash}"), "VERIFICATION")
}

/// Hashed, so that what people mistype here is not kept.
pub(super) fn attempts_key(email: &str) -> Key {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(email));
    Key::new(format!("ATTEMPTS#{hash}"), "ATTEMPTS")
}

pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
