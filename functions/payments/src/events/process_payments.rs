//! `process-payments`: does with the money what the orders' events say.
//!
//! The function may die between any two lines; the queue then brings the event
//! again. What that does at each point:
//!
//! - *authorise, then write.* Died before the write: the provider is asked
//!   again under the same key and gives the same answer. If the order ended
//!   meanwhile, a buried payment stands there, and what was promised is given
//!   back instead. Died after it: the record is there, nothing is done.
//! - *intent, capture (or void), then write.* Died after the intent: the same
//!   is begun again, never the other. Died before the write: the provider is
//!   asked again under the same key. Died after it: nothing is done.

use std::sync::Arc;

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{
        OrderPlaced, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined,
        PaymentVoided,
    },
};
use dynamo::{CommitError, StoreError};
use kernel::{Clock, PaymentId, Timestamp};
use runtime::{Environment, Function, Grant, grant, metrics::Dependency, queue};

use crate::{
    domain::{Action, Input, Intent, Over, Payment, ProviderReference, Status, decide},
    provider::{
        Authorization, Authorized, Captured, Operation, OperationKey, PaymentProvider,
        ProviderError, from_environment,
    },
    store::PaymentStore,
};

const NAME: &str = "process-payments";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:PutItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
];

/// How often a payment is read and decided again when others change it at the
/// same time; it has fewer states than this.
const DECISIONS_MAX: u32 = 8;

/// The function `process-payments`.
pub fn function() -> Function {
    queue::consumer(
        NAME,
        GRANTS,
        Processor::start,
        |processor, event| async move { Ok(processor.process(&event).await?) },
    )
}

/// What processing needs.
pub struct Processor {
    payments: PaymentStore,
    provider: Arc<dyn PaymentProvider>,
    clock: Clock,
}

/// Why an event must come again.
#[derive(Debug, thiserror::Error)]
pub enum ProcessPaymentError {
    /// It came before its cause.
    #[error("too early: {0}")]
    TooEarly(&'static str),
    /// It cannot be true; only a person can tell why it was said.
    #[error("contradiction: {0}")]
    Contradiction(&'static str),
    /// Others changed the payment through all tries.
    #[error("payment {0} kept changing")]
    Contended(PaymentId),
    /// The provider gave no answer.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// It does not read.
    #[error(transparent)]
    Read(#[from] ReadEventError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of one try.
enum Tried {
    Done,
    /// The payment changed meanwhile, or it was we and the answer was lost:
    /// reading again tells.
    Again,
}

impl Processor {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        let provider = from_environment(&environment)?;
        let payments = PaymentStore::open(&environment).await?;
        Ok(Self::new(payments, provider, Clock::System))
    }

    /// From its parts.
    pub fn new(payments: PaymentStore, provider: Arc<dyn PaymentProvider>, clock: Clock) -> Self {
        Self {
            payments,
            provider,
            clock,
        }
    }

    /// Does with the payment what an order's event means.
    ///
    /// # Errors
    /// [`ProcessPaymentError`]; the queue then brings the event again.
    pub async fn process(&self, event: &Envelope) -> Result<(), ProcessPaymentError> {
        let Some(input) = Input::read(event)? else {
            return Ok(());
        };
        for _ in 0..DECISIONS_MAX {
            if let Tried::Done = self.try_once(event, &input).await? {
                return Ok(());
            }
        }
        Err(ProcessPaymentError::Contended(input.payment_id()))
    }

    async fn try_once(
        &self,
        event: &Envelope,
        input: &Input,
    ) -> Result<Tried, ProcessPaymentError> {
        let stored = self.payments.find(input.payment_id()).await?;
        if stored.as_ref().is_some_and(|stored| stored.has_seen(event)) {
            return Ok(Tried::Done);
        }
        let payment = stored.as_ref().map(|stored| &stored.payment);
        match (decide(payment, input), payment) {
            (Action::Authorize(placed), _) => self.authorize(placed, event).await,
            (Action::Bury(over), _) => self.bury(over, event).await,
            (Action::Capture(promise), Some(payment)) => {
                self.capture(payment, promise, event).await
            }
            (Action::Void(promise), Some(payment)) => self.void(payment, promise, event).await,
            (Action::VoidStray, _) => {
                let key = key(input.payment_id(), Operation::Void);
                answered(self.provider.void(key, None).await)?;
                Ok(Tried::Done)
            }
            (Action::Ignore(why), _) => {
                tracing::debug!(event_type = event.event_type, why, "event ignored");
                Ok(Tried::Done)
            }
            (Action::NotYet(why), _) => Err(ProcessPaymentError::TooEarly(why)),
            (Action::Contradiction(why), _) => Err(ProcessPaymentError::Contradiction(why)),
            (Action::Capture(_) | Action::Void(_), None) => Err(
                ProcessPaymentError::Contradiction("there is no such payment"),
            ),
        }
    }

    async fn authorize(
        &self,
        placed: OrderPlaced,
        because: &Envelope,
    ) -> Result<Tried, ProcessPaymentError> {
        let payment_id = placed.payment_id;
        let authorization = Authorization {
            payment_method: placed.payment_method.clone(),
            amount: placed.total,
        };
        let key = key(payment_id, Operation::Authorize);
        let answer = answered(self.provider.authorize(key, authorization).await)?;

        let now = self.clock.now();
        let mut payment = record(&placed, now);
        let event = match answer {
            Authorized::Promised(reference) => {
                payment.provider_reference = Some(reference);
                announce(&authorized(&payment), now, because)
            }
            Authorized::Declined { reason } => {
                payment.status = Status::Declined;
                payment.failure_reason = Some(reason.clone());
                let order_id = payment.order_id;
                announce(
                    &PaymentDeclined {
                        payment_id,
                        order_id,
                        reason,
                    },
                    now,
                    because,
                )
            }
        };
        // Refused when the order ended meanwhile: the next reading finds the
        // payment buried, and gives the promise back.
        tried(self.payments.insert(&payment, Some(&event), because).await)
    }

    async fn bury(&self, over: Over, because: &Envelope) -> Result<Tried, ProcessPaymentError> {
        let now = self.clock.now();
        let payment = Payment {
            payment_id: over.payment_id,
            order_id: over.order_id,
            user_id: over.user_id,
            amount: over.total,
            status: Status::Voided,
            intent: None,
            failure_reason: None,
            provider_reference: None,
            created_at: now,
            updated_at: now,
        };
        // Nothing was promised, so there is nothing to announce.
        tried(self.payments.insert(&payment, None, because).await)
    }

    async fn capture(
        &self,
        payment: &Payment,
        promise: ProviderReference,
        because: &Envelope,
    ) -> Result<Tried, ProcessPaymentError> {
        let (payment_id, order_id, amount) = (payment.payment_id, payment.order_id, payment.amount);
        if let Tried::Again = tried(self.payments.begin(payment_id, Intent::Capture).await)? {
            return Ok(Tried::Again);
        }
        let key = key(payment_id, Operation::Capture);
        let answer = answered(self.provider.capture(key, promise, amount).await)?;

        let now = self.clock.now();
        let mut next = Payment {
            updated_at: now,
            ..payment.clone()
        };
        let event = match answer {
            Captured::Taken => {
                next.status = Status::Captured;
                announce(
                    &PaymentCaptured {
                        payment_id,
                        order_id,
                        amount,
                    },
                    now,
                    because,
                )
            }
            Captured::Failed { reason } => {
                next.status = Status::CaptureFailed;
                next.failure_reason = Some(reason.clone());
                announce(
                    &PaymentCaptureFailed {
                        payment_id,
                        order_id,
                        reason,
                    },
                    now,
                    because,
                )
            }
        };
        tried(
            self.payments
                .finish(&next, Intent::Capture, &event, because)
                .await,
        )
    }

    async fn void(
        &self,
        payment: &Payment,
        promise: ProviderReference,
        because: &Envelope,
    ) -> Result<Tried, ProcessPaymentError> {
        let (payment_id, order_id) = (payment.payment_id, payment.order_id);
        if let Tried::Again = tried(self.payments.begin(payment_id, Intent::Void).await)? {
            return Ok(Tried::Again);
        }
        let key = key(payment_id, Operation::Void);
        answered(self.provider.void(key, Some(promise)).await)?;

        let now = self.clock.now();
        let next = Payment {
            status: Status::Voided,
            updated_at: now,
            ..payment.clone()
        };
        let event = announce(
            &PaymentVoided {
                payment_id,
                order_id,
            },
            now,
            because,
        );
        tried(
            self.payments
                .finish(&next, Intent::Void, &event, because)
                .await,
        )
    }
}

const fn key(payment_id: PaymentId, operation: Operation) -> OperationKey {
    OperationKey {
        payment_id,
        operation,
    }
}

const fn record(placed: &OrderPlaced, now: Timestamp) -> Payment {
    Payment {
        payment_id: placed.payment_id,
        order_id: placed.order_id,
        user_id: placed.user_id,
        amount: placed.total,
        status: Status::Authorized,
        intent: None,
        failure_reason: None,
        provider_reference: None,
        created_at: now,
        updated_at: now,
    }
}

const fn authorized(payment: &Payment) -> PaymentAuthorized {
    PaymentAuthorized {
        payment_id: payment.payment_id,
        order_id: payment.order_id,
        amount: payment.amount,
    }
}

fn announce<T: EventData>(data: &T, now: Timestamp, because: &Envelope) -> Envelope {
    Envelope::new(data, now, &because.cause(NAME))
}

/// Counts a provider that gave no answer.
fn answered<T>(answer: Result<T, ProviderError>) -> Result<T, ProviderError> {
    answer.inspect_err(|_| Dependency::PaymentProvider.failed())
}

fn tried(outcome: Result<(), CommitError>) -> Result<Tried, ProcessPaymentError> {
    match outcome {
        Ok(()) => Ok(Tried::Done),
        Err(CommitError::ConditionFailed(_)) => Ok(Tried::Again),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
