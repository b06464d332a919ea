//! A provider that records what it does with the money, fails as planned, and
//! honours idempotency keys as a real one would.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use kernel::{Money, PaymentId};
use payments::{
    domain::ProviderReference,
    provider::{
        AuthorizationOutcome, AuthorizationRequest, CaptureOutcome, OperationKey, PaymentProvider,
        ProviderError, Sandbox,
    },
};
use runtime::BoxFuture;
use tokio::sync::Notify;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Succeeds,
    /// Never arrives: to the caller the same as dying just before it.
    RequestLost,
    /// Takes effect, but its response is lost: the same as dying just after it.
    ResponseLost,
}

/// The state of one payment at the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Account {
    pub(crate) authorized: Option<Money>,
    /// The amount of each capture that was not a repetition.
    pub(crate) captured: Vec<Money>,
    pub(crate) voided: bool,
    /// Calls that should never have been made.
    pub(crate) violations: Vec<&'static str>,
    captures: BTreeMap<String, CaptureOutcome>,
}

/// Suspends `authorize` after it has taken effect.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) open: Notify,
}

#[derive(Clone, Default)]
pub(crate) struct RecordingProvider {
    accounts: Arc<Mutex<BTreeMap<PaymentId, Account>>>,
    planned: Arc<Mutex<VecDeque<Call>>>,
    /// The keys of all calls that arrived, in order.
    keys: Arc<Mutex<Vec<OperationKey>>>,
    /// Suspends the first authorisation.
    gate: Arc<Mutex<Option<Arc<Gate>>>>,
}

impl RecordingProvider {
    pub(crate) fn gated(gate: Arc<Gate>) -> Self {
        let gate = Arc::new(Mutex::new(Some(gate)));
        Self {
            gate,
            ..Self::default()
        }
    }

    pub(crate) fn account(&self, id: PaymentId) -> Account {
        let accounts = self.accounts.lock().unwrap();
        accounts.get(&id).cloned().unwrap_or_default()
    }

    /// The keys of the calls about a payment that arrived, in order.
    pub(crate) fn keys(&self, id: PaymentId) -> Vec<String> {
        let keys = self.keys.lock().unwrap();
        let own = keys.iter().filter(|key| key.payment_id == id);
        own.map(ToString::to_string).collect()
    }

    /// Plans the next calls; those after them succeed.
    pub(crate) fn plan(&self, calls: impl IntoIterator<Item = Call>) {
        *self.planned.lock().unwrap() = calls.into_iter().collect();
    }

    fn call<T: Send + 'static>(
        &self,
        key: OperationKey,
        effect: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, ProviderError> {
        let planned = self.planned.lock().unwrap().pop_front();
        let call = planned.unwrap_or(Call::Succeeds);
        let lost = || ProviderError {
            key,
            source: "timeout".into(),
        };
        if call == Call::RequestLost {
            return Err(lost());
        }
        self.keys.lock().unwrap().push(key);
        let mut accounts = self.accounts.lock().unwrap();
        let outcome = effect(accounts.entry(key.payment_id).or_default());
        if call == Call::Succeeds {
            Ok(outcome)
        } else {
            Err(lost())
        }
    }
}

impl PaymentProvider for RecordingProvider {
    fn authorize(
        &self,
        key: OperationKey,
        request: AuthorizationRequest,
    ) -> BoxFuture<Result<AuthorizationOutcome, ProviderError>> {
        let provider = self.clone();
        Box::pin(async move {
            let amount = request.amount;
            let outcome = Sandbox.authorize(key, request).await?;
            let result = provider.call(key, |account| {
                if let AuthorizationOutcome::Authorized(_) = outcome {
                    account.authorized = Some(amount);
                }
                outcome
            });
            let gate = provider.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            result
        })
    }

    fn capture(
        &self,
        key: OperationKey,
        authorization: ProviderReference,
        amount: Money,
    ) -> BoxFuture<Result<CaptureOutcome, ProviderError>> {
        let provider = self.clone();
        Box::pin(async move {
            let outcome = Sandbox.capture(key, authorization, amount).await?;
            provider.call(key, |account| {
                // A repetition captures nothing, so it is allowed after a void.
                if let Some(first) = account.captures.get(&key.to_string()) {
                    return first.clone();
                }
                if account.authorized != Some(amount) {
                    account.violations.push("captured what was not authorised");
                }
                if account.voided {
                    account.violations.push("captured after a void");
                }
                account.captures.insert(key.to_string(), outcome.clone());
                if outcome == CaptureOutcome::Captured {
                    account.captured.push(amount);
                }
                outcome
            })
        })
    }

    fn void(
        &self,
        key: OperationKey,
        _: ProviderReference,
    ) -> BoxFuture<Result<(), ProviderError>> {
        let result = self.call(key, |account| {
            if !account.captured.is_empty() {
                account.violations.push("voided after a capture");
            }
            account.voided = true;
        });
        Box::pin(std::future::ready(result))
    }
}
