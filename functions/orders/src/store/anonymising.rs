//! The removal of an erased user's data, and how far it has got.

use dynamo::{CommitError, Expression, Key, StoreError};
use kernel::{OrderId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{OrderStore, REDACTED, snapshot_key};

/// How long the note of an interrupted run is kept: longer than any queue keeps
/// the event that continues it.
const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Serialize, Deserialize)]
struct Progress {
    pk: String,
    sk: String,
    /// The last order of the pages that are done; later pages have older orders.
    order_id: OrderId,
    expires_at: i64,
}

fn progress_key(user_id: UserId) -> Key {
    Key::new(format!("ANONYMISING#{user_id}"), "ANONYMISING")
}

impl OrderStore {
    /// Removes the personal data from an order's address. Town, state and
    /// country stay; the postal code does not, because it can be one door.
    pub async fn anonymise(&self, id: OrderId) -> Result<(), StoreError> {
        let redact = Expression::update(
            "SET shipping_address.#name = :redacted, shipping_address.line1 = :redacted, \
             shipping_address.postalCode = :redacted \
             REMOVE shipping_address.line2",
        )
        .only_when("attribute_exists(pk)")
        .name("#name", "name")
        .value(":redacted", REDACTED);
        let updated = self.table.update::<IgnoredAny>(snapshot_key(id), redact);
        match updated.await {
            Ok(_) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The order up to which an earlier run has anonymised a user's orders, newest
    /// first.
    pub async fn anonymised_to(&self, user_id: UserId) -> Result<Option<OrderId>, StoreError> {
        let found: Option<Progress> = self.table.get(progress_key(user_id)).await?;
        Ok(found.map(|progress| progress.order_id))
    }

    /// Records how far a run has got. Two at once may set it back, and do more than
    /// they must.
    pub async fn set_anonymised_to(
        &self,
        user_id: UserId,
        order_id: OrderId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = progress_key(user_id);
        let expires = now.saturating_add(RETENTION).unwrap_or(Timestamp::MAX);
        let progress = Progress {
            pk: key.pk,
            sk: key.sk,
            order_id,
            expires_at: expires.as_second(),
        };
        match self.table.put(&progress, Expression::default()).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Forgets it: the run has got to the end.
    pub async fn forget_progress(&self, user_id: UserId) -> Result<(), StoreError> {
        let always = Expression::default();
        match self.table.delete(progress_key(user_id), always).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
