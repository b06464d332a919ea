//! The payment provider, as the service needs it.

use std::{fmt, sync::Arc};

use kernel::{Money, PaymentId};
use runtime::{BoxFuture, Environment, EnvironmentError};

use crate::domain::ProviderReference;

mod sandbox;

pub use sandbox::Sandbox;

/// A payment provider. A call repeated under the same key has no further
/// effect and returns the first result, a decline included. A crash between
/// the provider's reply and our record of it is therefore harmless.
pub trait PaymentProvider: Send + Sync {
    fn authorize(
        &self,
        key: OperationKey,
        request: AuthorizationRequest,
    ) -> BoxFuture<Result<AuthorizationOutcome, ProviderError>>;

    /// Captures the full amount of an authorisation.
    fn capture(
        &self,
        key: OperationKey,
        authorization: ProviderReference,
        amount: Money,
    ) -> BoxFuture<Result<CaptureOutcome, ProviderError>>;

    /// Voids an authorisation that is not captured.
    fn void(
        &self,
        key: OperationKey,
        authorization: ProviderReference,
    ) -> BoxFuture<Result<(), ProviderError>>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Authorize,
    Capture,
    /// Voiding the authorisation of an order that ended.
    Void,
    /// Voiding an authorisation whose capture failed.
    Release,
}

/// Identifies one intended call: one operation on one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    pub payment_id: PaymentId,
    pub operation: Operation,
}

impl OperationKey {
    pub const fn new(payment_id: PaymentId, operation: Operation) -> Self {
        Self {
            payment_id,
            operation,
        }
    }
}

impl fmt::Display for OperationKey {
    /// The form in which it is sent to a provider as `Idempotency-Key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Authorize => "authorize",
            Operation::Capture => "capture",
            Operation::Void => "void",
            Operation::Release => "release",
        };
        write!(f, "{}:{operation}", self.payment_id)
    }
}

#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The provider's token for a payment method; never a card number.
    pub payment_method: String,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationOutcome {
    Authorized(ProviderReference),
    /// Final under this key.
    Declined {
        /// The provider's code, such as `card_declined`.
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureOutcome {
    Captured,
    /// Final under this key.
    Failed {
        /// The provider's code, such as `card_declined`.
        reason: String,
    },
}

/// The provider did not respond. Whether it carried out the operation is
/// unknown; repeating the call under the same key will tell.
#[derive(Debug, thiserror::Error)]
#[error("the payment provider did not respond to {key}")]
pub struct ProviderError {
    pub key: OperationKey,
    #[source]
    pub source: runtime::Error,
}

/// The provider that `PAYMENT_PROVIDER` names, or the sandbox if it is not set.
///
/// # Errors
/// When it names an unknown provider: a misspelt name must not fall back to
/// the sandbox, which takes no money.
pub fn from_environment(
    environment: &Environment,
) -> Result<Arc<dyn PaymentProvider>, EnvironmentError> {
    match environment.get("PAYMENT_PROVIDER") {
        None | Some("sandbox") => Ok(Arc::new(Sandbox)),
        Some(_) => Err(EnvironmentError::Unreadable {
            name: "PAYMENT_PROVIDER".into(),
            expected: "the name of a payment provider (available: sandbox)",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<Arc<dyn PaymentProvider>, EnvironmentError> {
        from_environment(&[("PAYMENT_PROVIDER", name)].into_iter().collect())
    }

    #[test]
    fn only_a_known_provider_is_accepted() {
        assert!(named("sandbox").is_ok());
        assert!(named("").is_ok());
        for name in ["Sandbox", "stripe", "sandbox "] {
            let error = named(name).err().unwrap().to_string();
            assert!(error.contains("PAYMENT_PROVIDER"), "{error}");
            assert!(error.contains("sandbox"), "{error}");
        }
    }

    #[test]
    fn a_key_identifies_one_operation_on_one_payment() {
        let payment_id = testkit::new_id();
        let key = |operation| OperationKey::new(payment_id, operation).to_string();
        assert_eq!(key(Operation::Capture), format!("{payment_id}:capture"));
        assert_ne!(key(Operation::Capture), key(Operation::Void));
        assert_ne!(key(Operation::Capture), key(Operation::Authorize));
    }
}
