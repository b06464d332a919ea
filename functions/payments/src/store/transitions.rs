//! The writes that change a payment. `trigger` is the order event that causes
//! the change.

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep};
use kernel::PaymentId;

use super::{PaymentStore, StoredPayment, items::NewPayment, key, partition};
use crate::domain::{Intent, Payment, Status};

impl PaymentStore {
    /// Inserts a payment: pending, or a tombstone.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when the payment exists, which it may because of
    /// an earlier attempt whose reply was lost; or the store's failure.
    pub async fn insert(&self, payment: &Payment) -> Result<(), CommitError> {
        let item = NewPayment::new(payment);
        let absent = Expression::when("attribute_not_exists(pk)");
        self.table.put(&item, absent).await
    }

    /// Records the provider's answer to the request for an authorisation, together with
    /// its event. With it, the order event that is done counts as seen.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when an answer has been recorded, or the store's
    /// failure.
    pub async fn answer(
        &self,
        payment: &Payment,
        event: &Envelope,
        seen: Option<&Envelope>,
    ) -> Result<(), CommitError> {
        let change = match (seen, payment.status.is_final()) {
            (Some(_), false) => {
                "SET #status = :status, failure_reason = :reason, provider_reference = :reference, \
                 updated_at = :at, expires_at = :expires REMOVE payment_method ADD seen :seen"
            }
            (Some(_), true) => {
                "SET #status = :status, failure_reason = :reason, provider_reference = :reference, \
                 updated_at = :at, expires_at = :expires REMOVE payment_method, open_shard, open_since ADD seen :seen"
            }
            (None, false) => {
                "SET #status = :status, failure_reason = :reason, provider_reference = :reference, \
                 updated_at = :at, expires_at = :expires REMOVE payment_method"
            }
            (None, true) => {
                "SET #status = :status, failure_reason = :reason, provider_reference = :reference, \
                 updated_at = :at, expires_at = :expires REMOVE payment_method, open_shard, open_since"
            }
        };
        let mut expression = Expression::update(change)
            .only_when("#status = :pending")
            .name("#status", "status")
            .value(":status", payment.status)
            .value(":reason", &payment.failure_reason)
            .value(":reference", &payment.provider_reference)
            .value(":at", payment.updated_at)
            // Null, which expires nothing, until the payment has ended.
            .value(":expires", payment.expires_at())
            .value(":pending", Status::Pending);
        if let Some(trigger) = seen {
            expression = expression.string_set(":seen", vec![trigger.dedup_key()]);
        }
        self.change(payment.payment_id, expression, event).await
    }

    /// Records the operation that is about to be requested from the provider.
    /// Idempotent.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when the payment is not authorised or the other
    /// operation has begun, or the store's failure.
    pub async fn begin(&self, id: PaymentId, intent: Intent) -> Result<(), CommitError> {
        let expression = Expression::update("SET intent = :intent")
            .only_when(
                "#status = :authorized AND (attribute_not_exists(intent) OR intent = :intent)",
            )
            .name("#status", "status")
            .value(":authorized", Status::Authorized)
            .value(":intent", intent);
        let updated = self.table.update::<StoredPayment>(key(id), expression);
        updated.await.map(drop)
    }

    /// Records the result of the operation that was begun, together with its event.
    ///
    /// # Errors
    /// [`CommitError::ConditionFailed`] when the result has been recorded, or the store's
    /// failure.
    pub async fn finish(
        &self,
        payment: &Payment,
        intent: Intent,
        event: &Envelope,
        trigger: &Envelope,
    ) -> Result<(), CommitError> {
        let expression = Expression::update(
            "SET #status = :status, failure_reason = :reason, updated_at = :at, \
             expires_at = :expires REMOVE open_shard, open_since ADD seen :seen",
        )
        .only_when("#status = :authorized AND intent = :intent AND NOT contains(seen, :event)")
        .name("#status", "status")
        .value(":status", payment.status)
        .value(":reason", &payment.failure_reason)
        .value(":at", payment.updated_at)
        .value(":expires", payment.expires_at())
        .value(":authorized", Status::Authorized)
        .value(":intent", intent)
        .value(":event", trigger.dedup_key())
        .string_set(":seen", vec![trigger.dedup_key()]);
        self.change(payment.payment_id, expression, event).await
    }

    /// Changes a payment and announces it in one transaction.
    async fn change(
        &self,
        id: PaymentId,
        expression: Expression,
        event: &Envelope,
    ) -> Result<(), CommitError> {
        let sk = format!("EVENT#{}", event.id);
        self.table
            .transaction()
            .update("payment", key(id), expression)
            .announce(&partition(id), &sk, event, Keep::Forever)
            .commit()
            .await
    }
}
