//! Carries out what an order event requires of its payment.
//!
//! The function may die between any two lines, and the queue then delivers the
//! event again. What happens in each case:
//!
//! - *Record that the provider is asked, authorise, then record the result.* If it
//!   died before the result, the provider is called again under the same key and
//!   returns the same result, whether or not the first call has landed by then. An
//!   order that ends meanwhile does the same and voids what it learns of; one that
//!   ends before the provider was asked leaves a tombstone, and nothing is asked; nor is
//!   it once the goods are held no longer.
//! - *Record the intent, capture or void, then record the result.* If it died
//!   after the intent, the same operation is begun again, never the other one.
//!   If it died before the result, the provider is called again under the same
//!   key. If it died after the result, nothing is left to do.
//! - *A capture that fails* leaves the authorisation standing, so it is released
//!   before the failure is recorded.

mod operations;

use std::sync::Arc;

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined},
};
use dynamo::{Attempts, StoreError};
use kernel::PaymentId;
use runtime::{Environment, Host};

use crate::{
    domain::{Action, OrderEvent, decide_in_time},
    provider::{PaymentProvider, ProviderError},
    store::PaymentStore,
};

/// The function that acts, as its events name it.
pub(crate) const FUNCTION: &str = "process-payments";

pub struct Processor {
    payments: PaymentStore,
    provider: Arc<dyn PaymentProvider>,
    host: Host,
}

/// Why an event has to be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum ProcessPaymentError {
    #[error("the event arrived too early: {0}")]
    TooEarly(&'static str),
    #[error("payment {0} changed during every attempt")]
    Contended(PaymentId),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Repeating does not help, and the shell finds that among the sources.
    #[error("the event cannot be read")]
    Read(#[from] ReadEventError),
    #[error("read or write the payment")]
    Store(#[from] StoreError),
}

/// The outcome of one attempt.
enum Attempt {
    Done,
    /// There is more to do.
    Again,
    /// Another attempt changed the payment, or this one did and its reply was
    /// lost: reading the payment again shows which.
    Conflict,
}

impl Processor {
    /// Opens the table of the environment.
    pub async fn with_provider(
        environment: &Environment,
        provider: Arc<dyn PaymentProvider>,
    ) -> Result<Self, runtime::Error> {
        Ok(Self {
            payments: PaymentStore::open(environment).await?,
            provider,
            host: environment.host().clone(),
        })
    }

    /// Carries out what an event requires; on an error, the queue delivers the
    /// event again.
    pub async fn process(&self, event: &Envelope) -> Result<(), ProcessPaymentError> {
        let Some(order_event) = OrderEvent::read(event)? else {
            return Ok(());
        };
        let mut attempts = Attempts::new(self.host.random());
        while attempts.next().await {
            if let Attempt::Done = self.attempt(event, &order_event).await? {
                return Ok(());
            }
        }
        Err(ProcessPaymentError::Contended(order_event.payment_id()))
    }

    /// Puts an event on the operator's list, which is all that can be done with it.
    async fn record_contradiction(
        &self,
        trigger: &Envelope,
        event: &OrderEvent,
        reason: &'static str,
    ) -> Result<Attempt, ProcessPaymentError> {
        let (order_id, _) = event.order_and_amount();
        let (payments, now) = (&self.payments, self.host.now());
        payments
            .record_contradiction(trigger, order_id, reason, now)
            .await?;
        Ok(Attempt::Done)
    }

    /// Announces the answer to a reminder again, if the event is a question.
    async fn answer_again(&self, trigger: &Envelope, event: &OrderEvent) -> Result<(), StoreError> {
        let answers: &[&str] = match event {
            OrderEvent::Placed(_) => &[PaymentAuthorized::TYPE, PaymentDeclined::TYPE],
            OrderEvent::Committed(_) => &[PaymentCaptured::TYPE, PaymentCaptureFailed::TYPE],
            // Orders awaits nothing after an order's end.
            OrderEvent::Ended(_) => return Ok(()),
        };
        if !trigger.reminder {
            return Ok(());
        }
        let (id, now) = (event.payment_id(), self.host.now());
        self.payments.answer_again(id, answers, now).await.map(drop)
    }

    async fn attempt(
        &self,
        trigger: &Envelope,
        event: &OrderEvent,
    ) -> Result<Attempt, ProcessPaymentError> {
        let stored = self.payments.find(event.payment_id()).await?;
        if stored
            .as_ref()
            .is_some_and(|stored| stored.has_seen(trigger))
        {
            self.answer_again(trigger, event).await?;
            return Ok(Attempt::Done);
        }
        let payment = stored.as_ref().map(|stored| &stored.payment);
        let action = decide_in_time(payment, event, self.host.now());
        match (action, payment) {
            (Action::Begin(placed), _) => self.begin(&placed).await,
            (Action::Authorize(method), Some(payment)) => {
                self.authorize(payment, method, event, trigger).await
            }
            (Action::InsertTombstone(ended), _) => self.insert_tombstone(&ended).await,
            (Action::Capture(reference), Some(payment)) => {
                self.capture(payment, reference, trigger).await
            }
            (Action::Void(reference), Some(payment)) => {
                self.void(payment, reference, trigger).await
            }
            (Action::Ignore(reason), _) => {
                tracing::debug!(event_type = trigger.event_type, reason, "event ignored");
                self.answer_again(trigger, event).await?;
                Ok(Attempt::Done)
            }
            (Action::Defer(reason), _) => Err(ProcessPaymentError::TooEarly(reason)),
            (Action::Contradiction(reason), _) => {
                self.record_contradiction(trigger, event, reason).await
            }
            (Action::Authorize(_) | Action::Capture(_) | Action::Void(_), None) => {
                let reason = "the payment does not exist";
                self.record_contradiction(trigger, event, reason).await
            }
        }
    }
}
