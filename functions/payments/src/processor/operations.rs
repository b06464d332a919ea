//! The operations on a payment: call the provider, record the result.

use contracts::{
    Envelope, EventData,
    events::{
        OrderPlaced, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined,
        PaymentVoided,
    },
};
use dynamo::CommitError;
use kernel::Timestamp;
use runtime::metrics::Dependency;

use super::{Attempt, FUNCTION, ProcessPaymentError, Processor};
use crate::{
    domain::{Intent, OrderEnded, OrderEvent, Payment, ProviderReference, Status},
    provider::{
        AuthorizationOutcome, AuthorizationRequest, CaptureOutcome, Operation, OperationKey,
        ProviderError,
    },
};

impl Processor {
    pub(super) async fn begin(&self, placed: &OrderPlaced) -> Result<Attempt, ProcessPaymentError> {
        let pending = Payment::pending(placed, self.host.now());
        let inserted = outcome_of(self.payments.insert(&pending).await)?;
        Ok(match inserted {
            Attempt::Done => Attempt::Again,
            other => other,
        })
    }

    pub(super) async fn authorize(
        &self,
        payment: &Payment,
        payment_method: String,
        event: &OrderEvent,
        trigger: &Envelope,
    ) -> Result<Attempt, ProcessPaymentError> {
        let (payment_id, order_id, amount) = (payment.payment_id, payment.order_id, payment.amount);
        let request = AuthorizationRequest {
            payment_method,
            amount,
        };
        let key = OperationKey::new(payment_id, Operation::Authorize);
        let outcome = counted(self.provider.authorize(key, request).await)?;

        let now = self.host.now();
        let (answered, announced) = match outcome {
            AuthorizationOutcome::Authorized(reference) => {
                let authorized = PaymentAuthorized {
                    payment_id,
                    order_id,
                    amount,
                };
                let answered = payment.authorized(reference, now);
                (answered, self.event(&authorized, now, trigger))
            }
            AuthorizationOutcome::Declined { reason } => {
                let declined = PaymentDeclined {
                    payment_id,
                    order_id,
                    reason: reason.clone(),
                };
                let answered = payment.declined(reason, now);
                (answered, self.event(&declined, now, trigger))
            }
        };
        // The end of an order is not over with this: what was authorised is voided next.
        let seen = matches!(event, OrderEvent::Placed(_)).then_some(trigger);
        let answered = self.payments.answer(&answered, &announced, seen).await;
        Ok(match (outcome_of(answered)?, seen) {
            (Attempt::Done, None) => Attempt::Again,
            (attempt, _) => attempt,
        })
    }

    pub(super) async fn insert_tombstone(
        &self,
        ended: &OrderEnded,
    ) -> Result<Attempt, ProcessPaymentError> {
        let tombstone = Payment::tombstone(ended, self.host.now());
        // Nothing was authorised, so there is no event to publish.
        outcome_of(self.payments.insert(&tombstone).await)
    }

    pub(super) async fn capture(
        &self,
        payment: &Payment,
        reference: ProviderReference,
        trigger: &Envelope,
    ) -> Result<Attempt, ProcessPaymentError> {
        let (payment_id, order_id, amount) = (payment.payment_id, payment.order_id, payment.amount);
        let begun = self.payments.begin(payment_id, Intent::Capture).await;
        if let Attempt::Conflict = outcome_of(begun)? {
            return Ok(Attempt::Conflict);
        }
        let key = OperationKey::new(payment_id, Operation::Capture);
        let outcome = self.provider.capture(key, reference.clone(), amount).await;
        let outcome = counted(outcome)?;
        if let CaptureOutcome::Failed { .. } = outcome {
            let key = OperationKey::new(payment_id, Operation::Release);
            counted(self.provider.void(key, reference).await)?;
        }

        let now = self.host.now();
        let (settled, event) = match outcome {
            CaptureOutcome::Captured => {
                let captured = PaymentCaptured {
                    payment_id,
                    order_id,
                    amount,
                };
                let settled = payment.settled(Status::Captured, None, now);
                (settled, self.event(&captured, now, trigger))
            }
            CaptureOutcome::Failed { reason } => {
                let failed = PaymentCaptureFailed {
                    payment_id,
                    order_id,
                    reason: reason.clone(),
                };
                let settled = payment.settled(Status::CaptureFailed, Some(reason), now);
                (settled, self.event(&failed, now, trigger))
            }
        };
        let finished = self
            .payments
            .finish(&settled, Intent::Capture, &event, trigger);
        outcome_of(finished.await)
    }

    pub(super) async fn void(
        &self,
        payment: &Payment,
        reference: ProviderReference,
        trigger: &Envelope,
    ) -> Result<Attempt, ProcessPaymentError> {
        let (payment_id, order_id) = (payment.payment_id, payment.order_id);
        let begun = self.payments.begin(payment_id, Intent::Void).await;
        if let Attempt::Conflict = outcome_of(begun)? {
            return Ok(Attempt::Conflict);
        }
        let key = OperationKey::new(payment_id, Operation::Void);
        counted(self.provider.void(key, reference).await)?;

        let now = self.host.now();
        let voided = PaymentVoided {
            payment_id,
            order_id,
        };
        let event = self.event(&voided, now, trigger);
        let settled = payment.settled(Status::Voided, None, now);
        let finished = self
            .payments
            .finish(&settled, Intent::Void, &event, trigger);
        outcome_of(finished.await)
    }

    fn event<T: EventData>(&self, data: &T, now: Timestamp, trigger: &Envelope) -> Envelope {
        Envelope::new(data, self.host.stamp(now, &trigger.cause(FUNCTION)))
    }
}

/// Counts a call that got no response as a dependency error.
fn counted<T>(result: Result<T, ProviderError>) -> Result<T, ProviderError> {
    result.inspect_err(|_| Dependency::PaymentProvider.failed())
}

fn outcome_of(written: Result<(), CommitError>) -> Result<Attempt, ProcessPaymentError> {
    match written {
        Ok(()) => Ok(Attempt::Done),
        Err(CommitError::ConditionFailed(_)) => Ok(Attempt::Conflict),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
