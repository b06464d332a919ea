//! One intention, one effect: the record behind `Idempotency-Key`.
//!
//! A request first claims its key. The claim names the resource that the
//! request will create, so that whoever takes over an abandoned claim creates
//! the same one. The reply is stored in the transaction of the effect.

mod intention;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use kernel::{IdempotencyKey, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{CommitError, Expression, Key, StoreError, Table, Transaction};

pub use intention::{Effect, Intention};

/// How long a reply is kept, counted from the claim.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// How long a claim without a reply is exclusive. Longer than the timeout of
/// a function (10 s), so that whoever takes it over knows that the first is dead.
const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_secs(15);

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    pk: String,
    sk: String,
    claim: Uuid,
    subject: Uuid,
    fingerprint: String,
    #[serde(default)]
    claimed_until: i64,
    /// The reply as JSON, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    expires_at: i64,
}

/// The right to act on a key.
#[derive(Debug)]
pub struct Claim {
    pk: String,
    id: Uuid,
    /// The id of the resource to create: the same one for whoever takes over
    /// an abandoned claim.
    pub subject: Uuid,
}

/// What came of claiming a key; `R` is a stored reply.
#[derive(Debug)]
pub enum Claimed<R> {
    /// The key was free: act.
    Granted(Claim),
    /// The request has been completed, with this reply.
    Completed(R),
}

/// Why a key cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// It was used with a different body.
    #[error("the key was used with a different body")]
    Reused,
    /// The first request is still in progress.
    #[error("the first request is still in progress")]
    InProgress,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Claims `key` within `scope` (the user and the route) for a request with
/// this `fingerprint`, to create the resource `subject`.
///
/// # Errors
/// [`ClaimError`].
pub async fn claim<R: DeserializeOwned>(
    table: &Table,
    scope: &str,
    key: &IdempotencyKey,
    fingerprint: &str,
    subject: Uuid,
    now: Timestamp,
) -> Result<Claimed<R>, ClaimError> {
    let id = table.random().uuid();
    let record = Record {
        pk: partition(scope, key),
        sk: SORT_KEY.into(),
        claim: id,
        subject,
        fingerprint: fingerprint.into(),
        claimed_until: later(now, CLAIM_LIFETIME).as_millisecond(),
        reply: None,
        expires_at: later(now, RETENTION).as_second(),
    };
    // DynamoDB deletes expired items days later: the condition decides.
    let free = Expression::when("attribute_not_exists(pk) OR expires_at <= :now")
        .value(":now", now.as_second());
    let found: Option<Record> = match table.put(&record, free).await {
        Ok(()) => {
            return Ok(Claimed::Granted(Claim {
                pk: record.pk,
                id,
                subject,
            }));
        }
        Err(CommitError::ConditionFailed(failed)) => failed.item("item")?,
        Err(CommitError::Store(error)) => return Err(error.into()),
    };
    match found {
        // The reply to this very put was lost, and the SDK repeated it.
        Some(found) if found.claim == id => Ok(Claimed::Granted(Claim {
            pk: record.pk,
            id,
            subject,
        })),
        Some(found) if found.fingerprint != fingerprint => Err(ClaimError::Reused),
        Some(Record {
            reply: Some(reply), ..
        }) => read_reply(&reply),
        Some(found) if found.claimed_until <= now.as_millisecond() => {
            take_over(table, found, id, now).await
        }
        _ => Err(ClaimError::InProgress),
    }
}

/// Takes over the claim of a request whose function must have died.
async fn take_over<R: DeserializeOwned>(
    table: &Table,
    found: Record,
    id: Uuid,
    now: Timestamp,
) -> Result<Claimed<R>, ClaimError> {
    let claim = Claim {
        pk: found.pk.clone(),
        id,
        subject: found.subject,
    };
    let expression = Expression::update("SET claim = :mine, claimed_until = :until")
        .only_when("claim = :theirs AND attribute_not_exists(reply)")
        .value(":mine", id)
        .value(":theirs", found.claim)
        .value(":until", later(now, CLAIM_LIFETIME).as_millisecond());
    match table
        .update::<Record>(Key::new(found.pk, SORT_KEY), expression)
        .await
    {
        Ok(_) => Ok(Claimed::Granted(claim)),
        Err(CommitError::Store(error)) => Err(error.into()),
        Err(CommitError::ConditionFailed(failed)) => match failed.item::<Record>("item")? {
            Some(found) if found.claim == id => Ok(Claimed::Granted(claim)),
            Some(Record {
                reply: Some(reply), ..
            }) => read_reply(&reply),
            _ => Err(ClaimError::InProgress),
        },
    }
}

fn read_reply<R: DeserializeOwned>(json: &str) -> Result<Claimed<R>, ClaimError> {
    let reply = serde_json::from_str(json).map_err(|error| StoreError::Call {
        operation: "read a stored reply",
        source: error.into(),
    })?;
    Ok(Claimed::Completed(reply))
}

/// Gives up a claim under which nothing was done: the key is free again. When
/// this fails, the claim expires by itself.
///
/// # Errors
/// When the store fails.
pub async fn release(table: &Table, claim: Claim) -> Result<(), StoreError> {
    let mine =
        Expression::when("claim = :mine AND attribute_not_exists(reply)").value(":mine", claim.id);
    match table.delete(Key::new(claim.pk, SORT_KEY), mine).await {
        Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// Gives up a claim under which something may have been done: the key stays
/// bound to its subject, and the next request takes the claim over at once and
/// finds what this one left, such as goods held for the subject.
///
/// # Errors
/// When the store fails; the claim then expires by itself.
pub async fn abandon(table: &Table, claim: Claim, now: Timestamp) -> Result<(), StoreError> {
    let expression = Expression::update("SET claimed_until = :now")
        .only_when("claim = :mine AND attribute_not_exists(reply)")
        .value(":mine", claim.id)
        .value(":now", now.as_millisecond());
    let key = Key::new(claim.pk, SORT_KEY);
    match table.update::<Record>(key, expression).await {
        Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

impl Transaction {
    /// Stores the reply in the transaction of the effect. Its condition, labelled
    /// `claim`, fails when somebody else took the claim over.
    #[must_use]
    pub fn complete<R: Serialize>(self, claim: &Claim, reply: &R) -> Self {
        let json = match serde_json::to_string(reply) {
            Ok(json) => json,
            Err(error) => return self.with_fault(StoreError::call("TransactWriteItems", error)),
        };
        let expression = Expression::update("SET reply = :reply REMOVE claimed_until")
            .only_when("claim = :mine AND attribute_not_exists(reply)")
            .value(":reply", json)
            .value(":mine", claim.id);
        self.update("claim", Key::new(&claim.pk, SORT_KEY), expression)
    }
}

const SORT_KEY: &str = "IDEMPOTENCY";

/// Keys are hashed: they are the client's text, and as long as the client likes.
fn partition(scope: &str, key: &IdempotencyKey) -> String {
    let hash = Sha256::new()
        .chain_update(scope)
        .chain_update([0])
        .chain_update(key.as_str())
        .finalize();
    format!("IDEMPOTENCY#{}", URL_SAFE_NO_PAD.encode(hash))
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
