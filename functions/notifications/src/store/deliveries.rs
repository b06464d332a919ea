//! The way of a notification through its delivery. Each step is one
//! conditional write that is safe to make twice.

use dynamo::{CommitError, Expression, ConditionFailed, StoreError};
use jiff::Timestamp;
use kernel::{NotificationId, UserId};
use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use super::{Store, notification_key};
use crate::domain::{Message, Status};

/// One try to deliver one notification. Only who holds it may settle the
/// notification, and only until `until` is it held against others.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Whose notification.
    pub user_id: UserId,
    /// Which.
    pub notification_id: NotificationId,
    /// Names this try; made for it.
    pub id: Uuid,
    /// When it begins.
    pub now: Timestamp,
    /// When others may try.
    pub until: Timestamp,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Claimed {
    /// It holds: deliver this.
    Yours {
        /// What to deliver.
        message: Message,
        /// The chain that it belongs to.
        correlation_id: String,
    },
    /// There is nothing left to do.
    Settled,
    /// Another try is under way, or died less than a moment ago.
    Busy,
    /// There is no such notification.
    Unknown,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled<'a> {
    /// The channel took it.
    Sent,
    /// The channel will never take it, for this reason.
    Failed(&'a str),
    /// It goes to nobody any more, and what it said is not kept.
    Erased,
    /// It did not work this time.
    Released,
}

#[derive(Deserialize)]
struct Pending {
    #[serde(flatten)]
    message: Message,
    correlation_id: String,
}

#[derive(Deserialize)]
struct Progress {
    status: Status,
}

impl Store {
    /// Claims a notification that waits, or whose last claim ran out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        // The third alternative is this very claim, whose reply was lost.
        let expression = Expression::update(
            "SET #status = :sending, claim_id = :claim, sending_until = :until",
        )
        .only_when(
            "#status = :queued OR (#status = :sending AND (sending_until <= :now OR claim_id = :claim))",
        )
        .name("#status", "status")
        .value(":queued", Status::Queued)
        .value(":sending", Status::Sending)
        .value(":claim", claim.id)
        .value(":until", claim.until.as_millisecond())
        .value(":now", claim.now.as_millisecond());
        let key = notification_key(claim.user_id, claim.notification_id);
        match self.table.update::<Pending>(key, expression).await {
            Ok(pending) => Ok(Claimed::Yours {
                message: pending.message,
                correlation_id: pending.correlation_id,
            }),
            Err(CommitError::ConditionFailed(refused)) => why_not(&refused),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Ends a claim. Gives whether it still held: when it had run out and
    /// another try took over, that one decides.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn settle(&self, claim: &Claim, settled: Settled<'_>) -> Result<bool, StoreError> {
        let expression = match settled {
            Settled::Sent => {
                Expression::update("SET #status = :status, settled_at = :now REMOVE sending_until")
                    .value(":status", Status::Sent)
                    .value(":now", claim.now.as_millisecond())
            }
            Settled::Failed(reason) => Expression::update(
                "SET #status = :status, settled_at = :now, failure = :reason REMOVE sending_until",
            )
            .value(":status", Status::Failed)
            .value(":now", claim.now.as_millisecond())
            .value(":reason", reason),
            Settled::Erased => Expression::update(
                "SET #status = :status, settled_at = :now REMOVE sending_until, #data",
            )
            .name("#data", "data")
            .value(":status", Status::Failed)
            .value(":now", claim.now.as_millisecond()),
            Settled::Released => Expression::update("SET #status = :status REMOVE sending_until")
                .value(":status", Status::Queued),
        };
        let expression = expression
            .only_when("claim_id = :claim")
            .name("#status", "status")
            .value(":claim", claim.id);
        let key = notification_key(claim.user_id, claim.notification_id);
        match self.table.update::<IgnoredAny>(key, expression).await {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn why_not(refused: &ConditionFailed) -> Result<Claimed, StoreError> {
    let progress: Option<Progress> = refused.item("item")?;
    Ok(match progress.map(|progress| progress.status) {
        None => Claimed::Unknown,
        Some(Status::Sent | Status::Failed | Status::Suppressed) => Claimed::Settled,
        // `Queued` cannot refuse a claim; were it to, coming again is right.
        Some(Status::Sending | Status::Queued) => Claimed::Busy,
    })
}
