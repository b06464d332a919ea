//! A payment provider that knows where the money is, and can be dead.

use std::{
    future::ready,
    sync::{Arc, Mutex},
};

use kernel::Money;
use payments::{
    domain::ProviderReference,
    provider::{
        AuthorizationOutcome, AuthorizationRequest, CaptureOutcome, OperationKey, PaymentProvider,
        ProviderError, Sandbox,
    },
};
use runtime::BoxFuture;

/// What it knows of the one payment of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) authorized: bool,
    /// Captures under different keys.
    pub(crate) captures: usize,
    pub(crate) voided: bool,
}

#[derive(Default)]
struct State {
    account: Account,
    captured: Vec<String>,
    is_dead: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<State>>);

impl Provider {
    pub(crate) fn account(&self) -> Account {
        self.0.lock().unwrap().account
    }

    /// A dead provider does what it is asked and does not answer.
    pub(crate) fn set_dead(&self, is_dead: bool) {
        self.0.lock().unwrap().is_dead = is_dead;
    }

    fn answer<T>(&self, key: OperationKey, outcome: T) -> Result<T, ProviderError> {
        if self.0.lock().unwrap().is_dead {
            return Err(ProviderError {
                key,
                source: "no answer".into(),
            });
        }
        Ok(outcome)
    }
}

impl PaymentProvider for Provider {
    fn authorize(
        &self,
        key: OperationKey,
        request: AuthorizationRequest,
    ) -> BoxFuture<Result<AuthorizationOutcome, ProviderError>> {
        let provider = self.clone();
        Box::pin(async move {
            let outcome = Sandbox.authorize(key, request).await?;
            let is_authorized = matches!(outcome, AuthorizationOutcome::Authorized(_));
            provider.0.lock().unwrap().account.authorized |= is_authorized;
            provider.answer(key, outcome)
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
            let mut state = provider.0.lock().unwrap();
            let name = key.to_string();
            if outcome == CaptureOutcome::Captured && !state.captured.contains(&name) {
                state.captured.push(name);
                state.account.captures += 1;
            }
            drop(state);
            provider.answer(key, outcome)
        })
    }

    fn void(
        &self,
        key: OperationKey,
        _: ProviderReference,
    ) -> BoxFuture<Result<(), ProviderError>> {
        self.0.lock().unwrap().account.voided = true;
        Box::pin(ready(self.answer(key, ())))
    }
}
