//! The payment provider, as the service needs it.

use std::{fmt, sync::Arc};

use kernel::{Money, PaymentId};
use runtime::{BoxFuture, Environment, EnvironmentError};

use crate::domain::ProviderReference;

mod sandbox;

pub use sandbox::Sandbox;

/// A payment provider. Each call bears a key: a call that is repeated under
/// its key has no second effect and gives the first one's answer, also when
/// that was a refusal. That is what makes a crash between the provider's
/// answer and our record of it harmless.
pub trait PaymentProvider: Send + Sync {
    /// Asks for a promise of money.
    fn authorize(
        &self,
        key: OperationKey,
        authorization: Authorization,
    ) -> BoxFuture<Result<Authorized, ProviderError>>;

    /// Takes money that is promised, all of it.
    fn capture(
        &self,
        key: OperationKey,
        promise: ProviderReference,
        amount: Money,
    ) -> BoxFuture<Result<Captured, ProviderError>>;

    /// Gives a promise back. Without a reference: whatever may be promised
    /// under the payment's id, of which the record was lost; that there is
    /// nothing is success too.
    fn void(
        &self,
        key: OperationKey,
        promise: Option<ProviderReference>,
    ) -> BoxFuture<Result<(), ProviderError>>;
}

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To promise money.
    Authorize,
    /// To take it.
    Capture,
    /// To give the promise back.
    Void,
}

/// The name of one intended call: one operation on one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKey {
    /// On which payment.
    pub payment_id: PaymentId,
    /// What.
    pub operation: Operation,
}

impl fmt::Display for OperationKey {
    /// As it is sent to a provider in `Idempotency-Key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Authorize => "authorize",
            Operation::Capture => "capture",
            Operation::Void => "void",
        };
        write!(f, "{}:{operation}", self.payment_id)
    }
}

/// What is to be promised.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The provider's token of the means of payment.
    pub payment_method: String,
    /// How much.
    pub amount: Money,
}

/// The answer to a request for a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorized {
    /// The money is promised.
    Promised(ProviderReference),
    /// It is not, and will not be under this key.
    Declined {
        /// Why, such as `card_declined`.
        reason: String,
    },
}

/// The answer to taking money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// The money is taken.
    Taken,
    /// It cannot be taken, and will not be under this key.
    Failed {
        /// Why, such as `card_declined`.
        reason: String,
    },
}

/// The provider gave no answer: whether it did what was asked is not known,
/// and only asking again under the same key can tell.
#[derive(Debug, thiserror::Error)]
#[error("the payment provider gave no answer to {key}")]
pub struct ProviderError {
    /// To what.
    pub key: OperationKey,
    /// What happened instead.
    #[source]
    pub source: runtime::Error,
}

/// The provider that `PAYMENT_PROVIDER` names; the sandbox when it names none.
///
/// # Errors
/// When it names one that there is not: a shop must not take the sandbox's
/// promises for money by a slip of the pen.
pub fn from_environment(
    environment: &Environment,
) -> Result<Arc<dyn PaymentProvider>, EnvironmentError> {
    match environment.get("PAYMENT_PROVIDER") {
        None | Some("sandbox") => Ok(Arc::new(Sandbox)),
        Some(_) => Err(EnvironmentError::Unreadable {
            name: "PAYMENT_PROVIDER".into(),
            expected: "the name of a payment provider (there is: sandbox)",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<Arc<dyn PaymentProvider>, EnvironmentError> {
        from_environment(
            &[("PAYMENT_PROVIDER".to_owned(), name.to_owned())]
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn only_a_provider_that_there_is_starts() {
        assert!(named("sandbox").is_ok());
        assert!(named("").is_ok());
        for name in ["Sandbox", "stripe", "sandbox "] {
            let error = named(name).err().unwrap().to_string();
            assert!(error.contains("PAYMENT_PROVIDER"), "{error}");
            assert!(error.contains("sandbox"), "{error}");
        }
    }

    #[test]
    fn a_key_names_one_operation_on_one_payment() {
        let payment_id = testkit::new_id::<PaymentId>();
        let key = |operation| {
            OperationKey {
                payment_id,
                operation,
            }
            .to_string()
        };
        assert_eq!(key(Operation::Capture), format!("{payment_id}:capture"));
        assert_ne!(key(Operation::Capture), key(Operation::Void));
        assert_ne!(key(Operation::Capture), key(Operation::Authorize));
    }
}
