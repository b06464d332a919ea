//! A payment provider that keeps books. It honours its contract to the letter: a call
//! that is repeated under a key changes nothing and gets the first answer again, whatever
//! has happened since.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kernel::{Money, PaymentId};
use payments::{
    domain::ProviderReference,
    provider::{
        AuthorizationOutcome, AuthorizationRequest, CaptureOutcome, Operation, OperationKey,
        PaymentProvider, ProviderError,
    },
};
use runtime::BoxFuture;

use crate::{
    busy::Busy,
    dice::Dice,
    faults::{Fault, Faults},
    sabotage::Sabotage,
};

/// How late an operation may land after its caller has given up.
const LATE_MILLIS_MAX: u64 = 1_500_000;
/// How long a call takes at most.
const CALL_MAX: Duration = Duration::from_millis(800);

/// What has become of an authorised amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is promised, and keeps the customer from spending it.
    Authorized,
    /// It is paid.
    Captured,
    /// It was let go.
    Voided,
}

#[derive(Clone)]
enum Answer {
    Authorized(AuthorizationOutcome),
    Captured(CaptureOutcome),
    Voided,
}

/// The books.
#[derive(Default)]
struct Books {
    /// What each payment stands at, and for how much.
    standing: BTreeMap<PaymentId, (Standing, Money)>,
    /// The first answer under each key.
    answers: BTreeMap<String, Answer>,
}

/// The provider.
#[derive(Clone)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    faults: Arc<Faults>,
    dice: Arc<Dice>,
    sabotage: Sabotage,
    busy: Busy,
}

impl Ledger {
    /// Empty books.
    pub fn new(faults: Arc<Faults>, dice: Dice, sabotage: Sabotage, busy: Busy) -> Self {
        Self {
            books: Arc::default(),
            faults,
            dice: Arc::new(dice),
            sabotage,
            busy,
        }
    }

    /// What each payment stands at.
    pub fn standing(&self) -> BTreeMap<PaymentId, (Standing, Money)> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.standing.clone()
    }

    /// Does an operation, once for each key.
    fn enter(&self, key: OperationKey, act: impl FnOnce(&mut Books) -> Answer) -> Answer {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = books.answers.get(&key.to_string()) {
            return answer.clone();
        }
        let answer = act(&mut books);
        books.answers.insert(key.to_string(), answer.clone());
        answer
    }

    /// Sends an operation to the provider, over a network like any other.
    async fn call(
        self,
        key: OperationKey,
        act: impl FnOnce(&mut Books) -> Answer + Send + 'static,
    ) -> Result<Answer, ProviderError> {
        let fault = self.faults.of_provider();
        let lost = || ProviderError {
            key,
            source: format!("{fault:?}").into(),
        };
        tokio::time::sleep(self.dice.delay(CALL_MAX)).await;
        match fault {
            Fault::None => Ok(self.enter(key, act)),
            Fault::Throttled | Fault::Failed | Fault::CrashBefore => Err(lost()),
            Fault::ReplyLost => {
                self.enter(key, act);
                Err(lost())
            }
            // The caller gives up; what it asked for lands later.
            Fault::HangsAfter | Fault::CrashAfter => {
                let (ledger, busy) = (self.clone(), self.busy.begin());
                let late = Duration::from_millis(self.dice.below(LATE_MILLIS_MAX));
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    ledger.enter(key, act);
                    drop(busy);
                });
                Err(lost())
            }
            Fault::Hangs => std::future::pending().await,
        }
    }
}

impl PaymentProvider for Ledger {
    fn authorize(
        &self,
        key: OperationKey,
        request: AuthorizationRequest,
    ) -> BoxFuture<Result<AuthorizationOutcome, ProviderError>> {
        let ledger = self.clone();
        Box::pin(async move {
            let answer = ledger.call(key, move |books| {
                Answer::Authorized(match request.payment_method.as_str() {
                    "pm_card_chargeDeclined" => AuthorizationOutcome::Declined {
                        reason: "card_declined".into(),
                    },
                    method => {
                        let standing = (Standing::Authorized, request.amount);
                        books.standing.insert(key.payment_id, standing);
                        let reference = format!("{method}#{}", key.payment_id);
                        AuthorizationOutcome::Authorized(ProviderReference(reference))
                    }
                })
            });
            match answer.await? {
                Answer::Authorized(outcome) => Ok(outcome),
                _ => Err(mixed_up(key)),
            }
        })
    }

    fn capture(
        &self,
        key: OperationKey,
        authorization: ProviderReference,
        amount: Money,
    ) -> BoxFuture<Result<CaptureOutcome, ProviderError>> {
        let ledger = self.clone();
        Box::pin(async move {
            let answer = ledger.call(key, move |books| {
                let failed = |reason: &str| {
                    Answer::Captured(CaptureOutcome::Failed {
                        reason: reason.into(),
                    })
                };
                if authorization.0.starts_with("pm_card_chargeCustomerFail") {
                    return failed("card_declined");
                }
                match books.standing.get_mut(&key.payment_id) {
                    Some((standing @ Standing::Authorized, promised)) if *promised == amount => {
                        *standing = Standing::Captured;
                        Answer::Captured(CaptureOutcome::Captured)
                    }
                    _ => failed("not_authorized"),
                }
            });
            match answer.await? {
                Answer::Captured(outcome) => Ok(outcome),
                _ => Err(mixed_up(key)),
            }
        })
    }

    fn void(
        &self,
        key: OperationKey,
        _: ProviderReference,
    ) -> BoxFuture<Result<(), ProviderError>> {
        let ledger = self.clone();
        if ledger.sabotage == Sabotage::Release && key.operation == Operation::Release {
            return Box::pin(std::future::ready(Ok(())));
        }
        Box::pin(async move {
            let answer = ledger.call(key, move |books| {
                if let Some((standing @ Standing::Authorized, _)) =
                    books.standing.get_mut(&key.payment_id)
                {
                    *standing = Standing::Voided;
                }
                Answer::Voided
            });
            match answer.await? {
                Answer::Voided => Ok(()),
                _ => Err(mixed_up(key)),
            }
        })
    }
}

fn mixed_up(key: OperationKey) -> ProviderError {
    ProviderError {
        key,
        source: "the key was used for another operation".into(),
    }
}
