//! A provider that moves no money, with Stripe's test tokens
//! (<https://docs.stripe.com/testing>). It keeps no state: an answer follows
//! from token and key alone, so repeating a call is repeating its answer.

use std::future::ready;

use kernel::Money;
use runtime::BoxFuture;

use super::{Authorization, Authorized, Captured, OperationKey, PaymentProvider, ProviderError};
use crate::domain::ProviderReference;

/// Begins the reference of a promise that will be kept.
const GOOD: &str = "sandbox_good_";
/// Begins the reference of a promise that will not.
const FAILING: &str = "sandbox_failing_";

/// The sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

impl PaymentProvider for Sandbox {
    fn authorize(
        &self,
        key: OperationKey,
        authorization: Authorization,
    ) -> BoxFuture<Result<Authorized, ProviderError>> {
        let promised = |kind| ProviderReference(format!("{kind}{}", key.payment_id));
        let declined = |reason: &str| Authorized::Declined {
            reason: reason.into(),
        };
        Box::pin(ready(Ok(match authorization.payment_method.as_str() {
            "pm_card_visa" | "pm_card_mastercard" | "pm_card_amex" => {
                Authorized::Promised(promised(GOOD))
            }
            // Stripe attaches this card and then fails to charge it.
            "pm_card_chargeCustomerFail" => Authorized::Promised(promised(FAILING)),
            "pm_card_chargeDeclined" | "pm_card_visa_chargeDeclined" => declined("card_declined"),
            "pm_card_chargeDeclinedInsufficientFunds"
            | "pm_card_visa_chargeDeclinedInsufficientFunds" => declined("insufficient_funds"),
            _ => declined("invalid_payment_method"),
        })))
    }

    fn capture(
        &self,
        _: OperationKey,
        promise: ProviderReference,
        _: Money,
    ) -> BoxFuture<Result<Captured, ProviderError>> {
        Box::pin(ready(Ok(if promise.0.starts_with(GOOD) {
            Captured::Taken
        } else {
            Captured::Failed {
                reason: "card_declined".into(),
            }
        })))
    }

    fn void(
        &self,
        _: OperationKey,
        _: Option<ProviderReference>,
    ) -> BoxFuture<Result<(), ProviderError>> {
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, PaymentId};

    use super::{super::Operation, *};

    async fn authorize(token: &str) -> Authorized {
        let key = OperationKey {
            payment_id: testkit::new_id::<PaymentId>(),
            operation: Operation::Authorize,
        };
        let authorization = Authorization {
            payment_method: token.into(),
            amount: Money::new(100, Currency::USD).unwrap(),
        };
        let first = Sandbox.authorize(key, authorization.clone()).await.unwrap();
        let second = Sandbox.authorize(key, authorization).await.unwrap();
        assert_eq!(first, second, "a repeated call repeats its answer");
        first
    }

    async fn charge(token: &str) -> String {
        let promise = match authorize(token).await {
            Authorized::Promised(promise) => promise,
            Authorized::Declined { reason } => return reason,
        };
        let key = OperationKey {
            payment_id: testkit::new_id::<PaymentId>(),
            operation: Operation::Capture,
        };
        let amount = Money::new(100, Currency::USD).unwrap();
        match Sandbox.capture(key, promise, amount).await.unwrap() {
            Captured::Taken => "taken".into(),
            Captured::Failed { reason } => format!("failed: {reason}"),
        }
    }

    #[tokio::test]
    async fn each_test_token_does_as_stripes_does() {
        for (token, outcome) in [
            ("pm_card_visa", "taken"),
            ("pm_card_mastercard", "taken"),
            ("pm_card_amex", "taken"),
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
