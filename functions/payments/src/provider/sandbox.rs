//! A provider that moves no money. It accepts Stripe's test tokens
//! (<https://docs.stripe.com/testing>) and keeps no state: the outcome follows
//! from token and key alone, so a repeated call returns the same outcome.

use std::future::ready;

use kernel::Money;
use runtime::BoxFuture;

use super::{
    AuthorizationOutcome, AuthorizationRequest, CaptureOutcome, OperationKey, PaymentProvider,
    ProviderError,
};
use crate::domain::ProviderReference;

/// The prefix of an authorisation whose capture succeeds.
const GOOD: &str = "sandbox_good_";
/// The prefix of an authorisation whose capture fails.
const FAILING: &str = "sandbox_failing_";

#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

impl PaymentProvider for Sandbox {
    fn authorize(
        &self,
        key: OperationKey,
        request: AuthorizationRequest,
    ) -> BoxFuture<Result<AuthorizationOutcome, ProviderError>> {
        let authorized = |prefix| {
            let reference = format!("{prefix}{}", key.payment_id);
            AuthorizationOutcome::Authorized(ProviderReference(reference))
        };
        let declined = |reason: &str| AuthorizationOutcome::Declined {
            reason: reason.into(),
        };
        Box::pin(ready(Ok(match request.payment_method.as_str() {
            "pm_card_visa" | "pm_card_mastercard" | "pm_card_amex" => authorized(GOOD),
            // Stripe attaches this card and then fails to charge it.
            "pm_card_chargeCustomerFail" => authorized(FAILING),
            "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => declined("card_declined"),
            "pm_card_chargeDeclinedInsufficientFunds"
            | "pm_card_visa_chargeDeclinedInsufficientFunds" => declined("insufficient_funds"),
            _ => declined("invalid_payment_method"),
        })))
    }

    fn capture(
        &self,
        _: OperationKey,
        authorization: ProviderReference,
        _: Money,
    ) -> BoxFuture<Result<CaptureOutcome, ProviderError>> {
        Box::pin(ready(Ok(if authorization.0.starts_with(GOOD) {
            CaptureOutcome::Captured
        } else {
            CaptureOutcome::Failed {
                reason: "card_declined".into(),
            }
        })))
    }

    fn void(&self, _: OperationKey, _: ProviderReference) -> BoxFuture<Result<(), ProviderError>> {
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use kernel::Currency;

    use super::{super::Operation, *};

    async fn authorize(token: &str) -> AuthorizationOutcome {
        let key = OperationKey::new(testkit::new_id(), Operation::Authorize);
        let request = AuthorizationRequest {
            payment_method: token.into(),
            amount: Money::new(100, Currency::USD).unwrap(),
        };
        let first = Sandbox.authorize(key, request.clone()).await.unwrap();
        let second = Sandbox.authorize(key, request).await.unwrap();
        assert_eq!(first, second, "a repeated call returns the first outcome");
        first
    }

    async fn charge(token: &str) -> String {
        let authorization = match authorize(token).await {
            AuthorizationOutcome::Authorized(reference) => reference,
            AuthorizationOutcome::Declined { reason } => return reason,
        };
        let key = OperationKey::new(testkit::new_id(), Operation::Capture);
        let amount = Money::new(100, Currency::USD).unwrap();
        match Sandbox.capture(key, authorization, amount).await.unwrap() {
            CaptureOutcome::Captured => "captured".into(),
            CaptureOutcome::Failed { reason } => format!("failed: {reason}"),
        }
    }

    #[tokio::test]
    async fn each_test_token_has_the_outcome_that_stripe_documents() {
        for (token, outcome) in [
            ("pm_card_visa", "captured"),
            ("pm_card_mastercard", "captured"),
            ("pm_card_amex", "captured"),
            ("pm_card_chargeDeclined", "card_declined"),
            ("pm_card_visa_chargeDeclined", "card_declined"),
            (
                "pm_card_chargeDeclinedInsufficientFunds",
                "insufficient_funds",
            ),
            (
                "pm_card_visa_chargeDeclinedInsufficientFunds",
                "insufficient_funds",
            ),
            ("pm_card_chargeCustomerFail", "failed: card_declined"),
            ("pm_card_visaa", "invalid_payment_method"),
            ("pm_1NqLkqLkdIwHu7ixraBm864R", "invalid_payment_method"),
        ] {
            assert_eq!(charge(token).await, outcome, "{token}");
        }
    }
}
