//! What people are told.

use contracts::events::{CancellationReason, OrderLine};
use jiff::Timestamp;
use kernel::{Money, OrderId};
use serde::{Deserialize, Serialize};

/// A message to a person: its template, and what that needs. It is small and
/// is what the table keeps; the text is made when the message is delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "template", content = "data", rename_all = "snake_case")]
pub enum Message {
    /// Asks a new person to prove the address.
    VerifyEmail {
        /// The address that the token proves. The mail goes there and nowhere
        /// else, whatever the account's address may be by then.
        email: String,
        /// The token, sealed; opened only to be put into the mail.
        sealed_token: String,
    },
    /// Lets a person set a new password.
    ResetPassword {
        /// The account's address when it was asked for. The mail goes there and
        /// nowhere else: the token in it is worth the account.
        email: String,
        /// The token, sealed; opened only to be put into the mail.
        sealed_token: String,
    },
    /// Tells a person that the account has another password.
    PasswordChanged {
        /// The account's address at that time.
        email: String,
    },
    /// Tells whoever reads the mails of an address that it is the account's
    /// no more. The new one is not said: it may be somebody else's.
    EmailChanged {
        /// The address before.
        email: String,
    },
    /// Tells a person that the account has a second factor.
    MfaEnabled {
        /// The account's address at that time.
        email: String,
    },
    /// Tells a person that the account has no second factor any more.
    MfaDisabled {
        /// The account's address at that time.
        email: String,
    },
    /// Tells a person until when a closed account can be had back.
    AccountClosed {
        /// When it will be gone.
        erase_at: Timestamp,
    },
    /// Tells a person that an account that was closed is open again.
    AccountReopened,
    /// The money is taken and the goods are sold.
    OrderConfirmed {
        /// Which order.
        order_id: OrderId,
        /// What was ordered.
        lines: Vec<Line>,
        /// What was paid.
        total: Money,
    },
    /// The money could not be had.
    PaymentFailed {
        /// For which order.
        order_id: OrderId,
        /// What it came to.
        total: Money,
        /// Why.
        reason: PaymentFailure,
    },
    /// The order will not be fulfilled.
    OrderCancelled {
        /// Which.
        order_id: OrderId,
        /// What it came to.
        total: Money,
        /// Why.
        reason: CancellationReason,
    },
}

/// Goods of one product, as a mail shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The product's name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
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

/// Why a payment failed, as far as a customer can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentFailure {
    /// The bank said no.
    CardDeclined,
    /// There is not enough money.
    InsufficientFunds,
    /// The means of payment cannot be used.
    InvalidPaymentMethod,
    /// Anything else that a provider may say.
    Other,
}

impl PaymentFailure {
    /// The failure behind a provider's reason.
    pub fn from_reason(reason: &str) -> Self {
        match reason {
            "card_declined" => Self::CardDeclined,
            "insufficient_funds" => Self::InsufficientFunds,
            "invalid_payment_method" => Self::InvalidPaymentMethod,
            _ => Self::Other,
        }
    }

    /// As a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::CardDeclined => "Your bank declined the card.",
            Self::InsufficientFunds => {
                "There was not enough money on the account behind the means of payment."
            }
            Self::InvalidPaymentMethod => "The means of payment could not be used.",
            Self::Other => "The payment provider could not complete the payment.",
        }
    }
}

/// Why an order was cancelled, as a sentence.
const fn cancellation_sentence(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::ReservationExpired => {
            "The payment took longer than we could hold the goods for you."
        }
        CancellationReason::StockUnavailable => "The goods were no longer available.",
    }
}

/// A day as a mail says it, in UTC.
pub fn date(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

impl Message {
    /// The template's name: that of its files.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify-email",
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

    /// A headline for a list.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "Verify your email address",
            Self::ResetPassword { .. } => "Set a new password",
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

    /// One sentence for a list.
    pub fn description(&self) -> String {
        match self {
            Self::VerifyEmail { .. } => "We sent you a link to verify your address.".to_owned(),
            Self::ResetPassword { .. } => "We sent you a link to set a new password.".to_owned(),
            Self::PasswordChanged { .. } => "Your account has a new password.".to_owned(),
            Self::EmailChanged { .. } => "Your account has a new email address.".to_owned(),
            Self::MfaEnabled { .. } => "Signing in now takes a code as well.".to_owned(),
            Self::MfaDisabled { .. } => "Signing in takes the password alone.".to_owned(),
            Self::AccountClosed { erase_at } => {
                format!("It will be erased on {}.", date(*erase_at))
            }
            Self::AccountReopened => "It will not be erased.".to_owned(),
            Self::OrderConfirmed { total, .. } => format!("We received your payment of {total}."),
            Self::PaymentFailed { .. } | Self::OrderCancelled { .. } => {
                format!("{} Nothing was charged.", self.reason().unwrap_or_default())
            }
        }
    }

    /// The address that the mail goes to, whatever the account's may be by the
    /// time it goes; `None` when it goes to the account's address of then.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::VerifyEmail { email, .. }
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

    /// Whether it is about the account, which a person is told of whatever they
    /// want to hear otherwise.
    pub const fn is_about_the_account(&self) -> bool {
        !matches!(
            self,
            Self::OrderConfirmed { .. } | Self::PaymentFailed { .. } | Self::OrderCancelled { .. }
        )
    }

    /// The subject of the mail.
    pub fn subject(&self, shop: &str) -> String {
        match self {
            Self::VerifyEmail { .. } => format!("Verify your email address for {shop}"),
            Self::ResetPassword { .. } => format!("Set a new password for {shop}"),
            Self::PasswordChanged { .. } => format!("Your {shop} password was changed"),
            Self::EmailChanged { .. } => format!("Your {shop} email address was changed"),
            Self::MfaEnabled { .. } => format!("Two-factor authentication is on at {shop}"),
            Self::MfaDisabled { .. } => format!("Two-factor authentication is off at {shop}"),
            Self::AccountClosed { .. } => format!("Your {shop} account is closed"),
            Self::AccountReopened => format!("Your {shop} account is open again"),
            Self::OrderConfirmed { .. } => format!("Your {shop} order is confirmed"),
            Self::PaymentFailed { .. } => format!("The payment for your {shop} order failed"),
            Self::OrderCancelled { .. } => format!("Your {shop} order was cancelled"),
        }
    }

    /// Why, as a sentence, where something went wrong.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::VerifyEmail { .. }
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
