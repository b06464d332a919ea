//! What users are told.

use contracts::events::{CancellationReason, OrderLine};
use kernel::{Money, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

/// The template of a message and its data. This is what the table stores; the
/// text is rendered on delivery.
///
/// A message with an `email` is sent to that address and no other, even if the
/// account's address has changed since: a token in it gives access to the
/// account, and a warning has to reach whoever had the address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", content = "data", rename_all = "snake_case")]
pub enum Message {
    VerifyEmail {
        email: String,
        /// Unsealed only when the email is rendered.
        sealed_token: String,
    },
    /// Contains nothing that was typed by whoever tried.
    RegistrationAttempted {
        email: String,
    },
    ResetPassword {
        email: String,
        /// Unsealed only when the email is rendered.
        sealed_token: String,
    },
    PasswordChanged {
        email: String,
    },
    /// Does not name the new address, which may be somebody else's.
    EmailChanged {
        /// The previous address.
        email: String,
    },
    MfaEnabled {
        email: String,
    },
    MfaDisabled {
        email: String,
    },
    AccountClosed {
        erase_at: Timestamp,
    },
    AccountReopened,
    OrderConfirmed {
        order_id: OrderId,
        lines: Vec<Line>,
        total: Money,
    },
    PaymentFailed {
        order_id: OrderId,
        total: Money,
        reason: PaymentFailure,
    },
    OrderCancelled {
        order_id: OrderId,
        total: Money,
        reason: CancellationReason,
    },
}

/// What a message is for; its limits depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// It answers a form that anybody may fill in with any address.
    Request,
    /// A change of the account.
    Notice,
    /// An order that was paid for.
    Confirmation,
    /// An order that came to nothing.
    Failure,
}

/// An order line, as an email shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub quantity: u32,
    pub unit_price: Money,
}

impl From<OrderLine> for Line {
    fn from(line: OrderLine) -> Self {
        Self {
            name: line.name,
            quantity: line.quantity,
            unit_price: line.unit_price,
        }
    }
}

/// Why a payment failed, as far as a customer can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentFailure {
    CardDeclined,
    InsufficientFunds,
    InvalidPaymentMethod,
    Other,
}

impl PaymentFailure {
    /// Maps a provider's code.
    pub fn from_reason(reason: &str) -> Self {
        match reason {
            "card_declined" => Self::CardDeclined,
            "insufficient_funds" => Self::InsufficientFunds,
            "invalid_payment_method" => Self::InvalidPaymentMethod,
            _ => Self::Other,
        }
    }

    pub const fn sentence(self) -> &'static str {
        match self {
            Self::CardDeclined => "Your bank declined the card.",
            Self::InsufficientFunds => "The payment method has insufficient funds.",
            Self::InvalidPaymentMethod => "The payment method could not be used.",
            Self::Other => "The payment provider could not complete the payment.",
        }
    }
}

const fn cancellation_sentence(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::ReservationExpired => {
            "The payment took longer than we could reserve the items for you."
        }
        CancellationReason::StockUnavailable => "The items were no longer available.",
        CancellationReason::CancelledByShop => "The shop cancelled it.",
    }
}

/// A date as an email shows it, in UTC.
pub fn format_date(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

impl Message {
    /// The name of its template files.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify-email",
            Self::RegistrationAttempted { .. } => "registration-attempted",
            Self::ResetPassword { .. } => "reset-password",
            Self::PasswordChanged { .. } => "password-changed",
            Self::EmailChanged { .. } => "email-changed",
            Self::MfaEnabled { .. } => "mfa-enabled",
            Self::MfaDisabled { .. } => "mfa-disabled",
            Self::AccountClosed { .. } => "account-closed",
            Self::AccountReopened => "account-reopened",
            Self::OrderConfirmed { .. } => "order-confirmed",
            Self::PaymentFailed { .. } => "payment-failed",
            Self::OrderCancelled { .. } => "order-cancelled",
        }
    }

    /// The headline, in a list and in the email.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "Verify your email address",
            Self::RegistrationAttempted { .. } => "You already have an account",
            Self::ResetPassword { .. } => "Reset your password",
            Self::PasswordChanged { .. } => "Your password was changed",
            Self::EmailChanged { .. } => "Your email address was changed",
            Self::MfaEnabled { .. } => "Two-factor authentication is on",
            Self::MfaDisabled { .. } => "Two-factor authentication is off",
            Self::AccountClosed { .. } => "Your account is closed",
            Self::AccountReopened => "Your account is open again",
            Self::OrderConfirmed { .. } => "Your order is confirmed",
            Self::PaymentFailed { .. } => "Your payment failed",
            Self::OrderCancelled { .. } => "Your order was cancelled",
        }
    }

    /// One or two sentences for a list.
    pub fn description(&self) -> String {
        match self {
            Self::VerifyEmail { .. } => "We sent you a link to verify your email address.".into(),
            Self::RegistrationAttempted { .. } => {
                "Somebody tried to register with your email address.".into()
            }
            Self::ResetPassword { .. } => "We sent you a link to reset your password.".into(),
            Self::PasswordChanged { .. } => "Your account has a new password.".into(),
            Self::EmailChanged { .. } => "Your account has a new email address.".into(),
            Self::MfaEnabled { .. } => {
                "Signing in now also requires a code from your authenticator app.".into()
            }
            Self::MfaDisabled { .. } => "Signing in now requires your password alone.".into(),
            Self::AccountClosed { erase_at } => {
                format!("Your account will be erased on {}.", format_date(*erase_at))
            }
            Self::AccountReopened => "Your account will not be erased.".into(),
            Self::OrderConfirmed { total, .. } => format!("We received your payment of {total}."),
            Self::PaymentFailed { .. } | Self::OrderCancelled { .. } => {
                let reason = self.reason().unwrap_or_default();
                format!("{reason} You have not been charged.")
            }
        }
    }

    /// The address that the message is sent to regardless of the account's: see
    /// [`Message`].
    pub fn fixed_address(&self) -> Option<&str> {
        match self {
            Self::VerifyEmail { email, .. }
            | Self::RegistrationAttempted { email }
            | Self::ResetPassword { email, .. }
            | Self::PasswordChanged { email }
            | Self::EmailChanged { email }
            | Self::MfaEnabled { email }
            | Self::MfaDisabled { email } => Some(email),
            Self::AccountClosed { .. }
            | Self::AccountReopened
            | Self::OrderConfirmed { .. }
            | Self::PaymentFailed { .. }
            | Self::OrderCancelled { .. } => None,
        }
    }

    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::VerifyEmail { .. }
            | Self::RegistrationAttempted { .. }
            | Self::ResetPassword { .. } => MessageKind::Request,
            Self::PasswordChanged { .. }
            | Self::EmailChanged { .. }
            | Self::MfaEnabled { .. }
            | Self::MfaDisabled { .. }
            | Self::AccountClosed { .. }
            | Self::AccountReopened => MessageKind::Notice,
            Self::OrderConfirmed { .. } => MessageKind::Confirmation,
            Self::PaymentFailed { .. } | Self::OrderCancelled { .. } => MessageKind::Failure,
        }
    }

    /// Whether it is about the account itself, and is sent regardless of the
    /// user's preferences.
    pub const fn is_account_notice(&self) -> bool {
        matches!(self.kind(), MessageKind::Request | MessageKind::Notice)
    }

    pub fn subject(&self, shop: &str) -> String {
        match self {
            Self::VerifyEmail { .. } => format!("Verify your email address for {shop}"),
            Self::RegistrationAttempted { .. } => {
                format!("Somebody tried to register with your {shop} account's address")
            }
            Self::ResetPassword { .. } => format!("Reset your {shop} password"),
            Self::PasswordChanged { .. } => format!("Your {shop} password was changed"),
            Self::EmailChanged { .. } => format!("Your {shop} email address was changed"),
            Self::MfaEnabled { .. } => {
                format!("Two-factor authentication is on for your {shop} account")
            }
            Self::MfaDisabled { .. } => {
                format!("Two-factor authentication is off for your {shop} account")
            }
            Self::AccountClosed { .. } => format!("Your {shop} account is closed"),
            Self::AccountReopened => format!("Your {shop} account is open again"),
            Self::OrderConfirmed { .. } => format!("Your {shop} order is confirmed"),
            Self::PaymentFailed { .. } => format!("The payment for your {shop} order failed"),
            Self::OrderCancelled { .. } => format!("Your {shop} order was cancelled"),
        }
    }

    /// Why a payment failed or an order was cancelled, as a sentence.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::VerifyEmail { .. }
            | Self::RegistrationAttempted { .. }
            | Self::ResetPassword { .. }
            | Self::PasswordChanged { .. }
            | Self::EmailChanged { .. }
            | Self::MfaEnabled { .. }
            | Self::MfaDisabled { .. }
            | Self::AccountClosed { .. }
            | Self::AccountReopened
            | Self::OrderConfirmed { .. } => None,
            Self::PaymentFailed { reason, .. } => Some(reason.sentence()),
            Self::OrderCancelled { reason, .. } => Some(cancellation_sentence(*reason)),
        }
    }
}
