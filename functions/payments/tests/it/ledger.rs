//! A provider that writes down what it does with the money, fails as it is
//! told, and keeps the contract of keys as a real one would.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use kernel::{Money, PaymentId};
use payments::{
    domain::ProviderReference,
    provider::{
        Authorization, Authorized, Captured, OperationKey, PaymentProvider, ProviderError, Sandbox,
    },
};
use runtime::BoxFuture;
use tokio::sync::Notify;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// It is answered.
    Answered,
    /// It never arrives. To us the same as dying just before it.
    Lost,
    /// It has its effect, and the answer is lost. The same as dying just after it.
    AnswerLost,
}

/// The money of one payment, at the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Account {
    pub(crate) promised: Option<Money>,
    /// Amounts taken, one for each capture that was not a repetition.
    pub(crate) taken: Vec<Money>,
    pub(crate) voided: bool,
    /// What should never have been asked for.
    pub(crate) wrongs: Vec<&'static str>,
    captures: BTreeMap<String, Captured>,
}

#[derive(Clone, Default)]
pub(crate) struct Ledger {
    accounts: Arc<Mutex<BTreeMap<PaymentId, Account>>>,
    calls: Arc<Mutex<VecDeque<Call>>>,
    /// When set, `authorize` has its effect, says so, and waits to be let go.
    gate: Option<Arc<(Notify, Notify)>>,
}

impl Ledger {
    pub(crate) fn gated(gate: Arc<(Notify, Notify)>) -> Self {
        let gate = Some(gate);
        Self {
            gate,
            ..Self::default()
        }
    }

    pub(crate) fn of(&self, id: PaymentId) -> Account {
        self.accounts
            .lock()
            .unwrap()
            .get(&id)
            .cloned()
            .unwrap_or_default()
    }

    /// What happens to the next calls; those after them are answered.
    pub(crate) fn plan(&self, calls: impl IntoIterator<Item = Call>) {
        *self.calls.lock().unwrap() = calls.into_iter().collect();
    }

    fn call<T: Send + 'static>(
        &self,
        key: OperationKey,
        effect: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, ProviderError> {
        let call = self
            .calls
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Call::Answered);
        let lost = || ProviderError {
            key,
            source: "no answer".into(),
        };
        if call == Call::Lost {
            return Err(lost());
        }
        let mut accounts = self.accounts.lock().unwrap();
        let answer = effect(accounts.entry(key.payment_id).or_default());
        if call == Call::Answered {
            Ok(answer)
        } else {
            Err(lost())
        }
    }
}

impl PaymentProvider for Ledger {
    fn authorize(
        &self,
        key: OperationKey,
        authorization: Authorization,
    ) -> BoxFuture<Result<Authorized, ProviderError>> {
        let ledger = self.clone();
        Box::pin(async move {
            let amount = authorization.amount;
            let answer = Sandbox.authorize(key, authorization).await?;
            let answered = ledger.call(key, |account| {
                if let Authorized::Promised(_) = answer {
                    account.promised = Some(amount);
                }
                answer
            });
            if let Some(gate) = &ledger.gate {
                gate.0.notify_one();
                gate.1.notified().await;
            }
            answered
        })
    }

    fn capture(
        &self,
        key: OperationKey,
        promise: ProviderReference,
        amount: Money,
    ) -> BoxFuture<Result<Captured, ProviderError>> {
        let ledger = self.clone();
        Box::pin(async move {
            let answer = Sandbox.capture(key, promise, amount).await?;
            ledger.call(key, |account| {
                if account.promised != Some(amount) {
                    account.wrongs.push("captured what was not promised");
                }
                if account.voided {
                    account.wrongs.push("captured after a void");
                }
                if let Some(first) = account.captures.get(&key.to_string()) {
                    return first.clone();
                }
                account.captures.insert(key.to_string(), answer.clone());
                if answer == Captured::Taken {
                    account.taken.push(amount);
                }
                answer
            })
        })
    }

    fn void(
        &self,
        key: OperationKey,
        _: Option<ProviderReference>,
    ) -> BoxFuture<Result<(), ProviderError>> {
        let answered = self.call(key, |account| {
            if !account.captures.is_empty() {
                account.wrongs.push("voided after a capture");
            }
            account.voided = true;
        });
        Box::pin(std::future::ready(answered))
    }
}
