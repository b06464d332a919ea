//! The transitions of a notification while it is delivered. Each is one
//! conditional write that is safe to repeat.

use dynamo::{CommitError, ConditionFailed, Expression, Key, StoreError};
use kernel::{NotificationId, Timestamp, UserId};
use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use super::{Store, notification_key, unlisted_key};
use crate::domain::{Message, Status};

/// One attempt to deliver a notification. Only the attempt that holds the claim
/// may settle the notification.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub user_id: UserId,
    pub notification_id: NotificationId,
    pub unlisted: bool,
    /// Unique to the attempt.
    pub id: Uuid,
    pub now: Timestamp,
    /// When another attempt may take over.
    pub until: Timestamp,
}

impl Claim {
    fn key(&self) -> Key {
        if self.unlisted {
            unlisted_key(self.user_id, self.notification_id)
        } else {
            notification_key(self.user_id, self.notification_id)
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum ClaimOutcome {
    Granted {
        message: Message,
        correlation_id: String,
    },
    /// The delivery has ended.
    Settled,
    /// Another attempt holds an unexpired claim.
    Busy,
    NotFound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome<'a> {
    /// The channel accepted the message.
    Sent,
    /// The channel rejected it for good, for this reason.
    Failed(&'a str),
    /// The user has been erased; the message's data is removed.
    Erased,
    /// The attempt failed; another may succeed.
    Released,
}

#[derive(Deserialize)]
struct ClaimedItem {
    #[serde(flatten)]
    message: Message,
    correlation_id: String,
}

#[derive(Deserialize)]
struct ItemStatus {
    status: Status,
}

impl Store {
    /// Claims a notification that is queued, or whose last claim has expired.
    pub async fn claim(&self, claim: &Claim) -> Result<ClaimOutcome, StoreError> {
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
        match self
            .table
            .update::<ClaimedItem>(claim.key(), expression)
            .await
        {
            Ok(claimed) => Ok(ClaimOutcome::Granted {
                message: claimed.message,
                correlation_id: claimed.correlation_id,
            }),
            Err(CommitError::ConditionFailed(failed)) => outcome_of(&failed),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Settles a claimed notification. Returns whether the claim still held;
    /// after it has expired, the attempt that took over decides.
    pub async fn settle(
        &self,
        claim: &Claim,
        outcome: DeliveryOutcome<'_>,
    ) -> Result<bool, StoreError> {
        let expression = match outcome {
            DeliveryOutcome::Sent => {
                Expression::update("SET #status = :status, settled_at = :now REMOVE sending_until")
                    .value(":status", Status::Sent)
                    .value(":now", claim.now.as_millisecond())
            }
            DeliveryOutcome::Failed(reason) => Expression::update(
                "SET #status = :status, settled_at = :now, failure = :reason REMOVE sending_until",
            )
            .value(":status", Status::Failed)
            .value(":now", claim.now.as_millisecond())
            .value(":reason", reason),
            DeliveryOutcome::Erased => Expression::update(
                "SET #status = :status, settled_at = :now REMOVE sending_until, #data",
            )
            .name("#data", "data")
            .value(":status", Status::Failed)
            .value(":now", claim.now.as_millisecond()),
            DeliveryOutcome::Released => {
                Expression::update("SET #status = :status REMOVE sending_until")
                    .value(":status", Status::Queued)
            }
        };
        let expression = expression
            .only_when("claim_id = :claim")
            .name("#status", "status")
            .value(":claim", claim.id);
        match self
            .table
            .update::<IgnoredAny>(claim.key(), expression)
            .await
        {
            Ok(_) => Ok(true),
            Err(CommitError::ConditionFailed(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn outcome_of(failed: &ConditionFailed) -> Result<ClaimOutcome, StoreError> {
    let item: Option<ItemStatus> = failed.item("item")?;
    Ok(match item.map(|item| item.status) {
        None => ClaimOutcome::NotFound,
        Some(Status::Sent | Status::Failed | Status::Suppressed) => ClaimOutcome::Settled,
        // A queued notification cannot fail the condition; if one did,
        // delivering the event again would be right.
        Some(Status::Sending | Status::Queued) => ClaimOutcome::Busy,
    })
}
