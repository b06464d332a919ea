//! Every event of the shop, by the service that says it.

use jiff::Timestamp;
use kernel::{CategoryId, Money, NotificationId, OrderId, PaymentId, ProductId, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::EventData;

mod parts;

pub use parts::{CancellationReason, Channel, OrderLine, Preferences, Quantity, RejectionReason};

/// One event type, described.
pub struct EventType {
    /// The CloudEvents `type`.
    pub event_type: &'static str,
    /// The CloudEvents `source`.
    pub source: &'static str,
    /// The JSON Schema of its data.
    pub schema: schemars::Schema,
    /// Whether data reads as this type.
    pub reads: fn(&serde_json::Value) -> bool,
}

macro_rules! events {
    ($($source:literal => {$(
        $(#[$doc:meta])* $name:ident = $type:literal about $subject:ident {
            $($(#[$field_doc:meta])* $field:ident: $field_type:ty,)*
        }
    )+})+) => {
        $($(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(rename_all = "camelCase")]
            pub struct $name { $($(#[$field_doc])* pub $field: $field_type,)* }

            impl EventData for $name {
                const TYPE: &'static str = $type;
                const SOURCE: &'static str = $source;

                fn subject(&self) -> String {
                    self.$subject.to_string()
                }
            }
        )+)+

        /// Every event type of the shop.
        pub fn catalogue() -> Vec<EventType> {
            vec![$($(EventType {
                event_type: $type,
                source: $source,
                schema: schemars::schema_for!($name),
                reads: |data| $name::deserialize(data).is_ok(),
            },)+)+]
        }
    };
}

events! {
    "emporium/users" => {
        /// A person has an account.
        UserRegistered = "user.registered" about user_id {
            /// Who.
            user_id: UserId,
            /// The address as it was given, normalised.
            email: String,
            /// The person's name.
            name: String,
            /// The token that proves the address, sealed so that only the
            /// notifications service reads it.
            sealed_verification_token: String,
        }
        /// Something about a person's account is different.
        UserUpdated = "user.updated" about user_id {
            /// Who.
            user_id: UserId,
            /// The address now.
            email: String,
            /// The name now.
            name: String,
            /// The role now.
            role: String,
            /// The status now.
            status: String,
            /// What the person wants to hear now; not said before there were
            /// preferences.
            preferences: Option<Preferences>,
        }
        /// An account was closed: it cannot be used until somebody opens it again.
        UserDeactivated = "user.deactivated" about user_id {
            /// Who.
            user_id: UserId,
            /// When it is going to be erased, if the person closed it; until
            /// then the person opens it again by logging in.
            #[serde(skip_serializing_if = "Option::is_none")]
            erase_at: Option<Timestamp>,
        }
        /// A person came back to an account that was closed.
        UserReactivated = "user.reactivated" about user_id {
            /// Who.
            user_id: UserId,
        }
        /// An account is gone for good, and who had it is to be forgotten.
        UserErased = "user.erased" about user_id {
            /// Who.
            user_id: UserId,
        }
        /// Somebody asked for the mail that verifies an address: that of the
        /// account again, or one that is to take its place.
        UserVerificationRequested = "user.verification_requested" about user_id {
            /// Who.
            user_id: UserId,
            /// The address that is to be verified.
            email: String,
            /// The token that proves it, sealed so that only the notifications
            /// service reads it.
            sealed_token: String,
        }
        /// An address is known to be the person's.
        UserEmailVerified = "user.email_verified" about user_id {
            /// Who.
            user_id: UserId,
            /// The address.
            email: String,
        }
        /// An account has another address: the new one is in the
        /// `user.updated` that is said with it.
        UserEmailChanged = "user.email_changed" about user_id {
            /// Who.
            user_id: UserId,
            /// The address before, where its owner is told.
            previous_email: String,
        }
        /// Somebody forgot a password, or says so.
        UserPasswordResetRequested = "user.password_reset_requested" about user_id {
            /// Who.
            user_id: UserId,
            /// The account's address.
            email: String,
            /// The token with which to set a new password, sealed so that only
            /// the notifications service reads it.
            sealed_token: String,
        }
        /// A person has another password.
        UserPasswordChanged = "user.password_changed" about user_id {
            /// Who.
            user_id: UserId,
            /// The account's address.
            email: String,
        }
        /// A person logs in with a second factor from now on.
        UserMfaEnabled = "user.mfa_enabled" about user_id {
            /// Who.
            user_id: UserId,
            /// The account's address.
            email: String,
        }
        /// A person logs in with the password alone from now on.
        UserMfaDisabled = "user.mfa_disabled" about user_id {
            /// Who.
            user_id: UserId,
            /// The account's address.
            email: String,
        }
    }
    "emporium/catalog" => {
        /// There is a new category.
        CategoryCreated = "category.created" about category_id {
            /// Which.
            category_id: CategoryId,
            /// Its name.
            name: String,
            /// The category it is in.
            parent_id: Option<CategoryId>,
        }
        /// There is a new product.
        ProductCreated = "product.created" about product_id {
            /// Which.
            product_id: ProductId,
            /// Its name.
            name: String,
            /// Its price.
            price: Money,
            /// The category it is in.
            category_id: CategoryId,
            /// How many can be ordered.
            stock: u32,
        }
        /// Somebody set, raised or lowered what can be ordered of a product.
        StockAdjusted = "stock.adjusted" about product_id {
            /// Which.
            product_id: ProductId,
            /// What could be ordered before.
            previous_stock: u32,
            /// What can be ordered now.
            stock: u32,
        }
        /// The goods held for an order are now sold to it.
        StockCommitted = "stock.committed" about order_id {
            /// Which order.
            order_id: OrderId,
        }
        /// The goods of an order are no longer held, so it cannot have them.
        StockCommitRejected = "stock.commit_rejected" about order_id {
            /// Which order.
            order_id: OrderId,
            /// Why.
            reason: RejectionReason,
        }
        /// A hold ran out before its order was paid, and the goods went back.
        ReservationExpired = "reservation.expired" about order_id {
            /// Which order.
            order_id: OrderId,
        }
        /// An order gave its goods back.
        StockReleased = "stock.released" about order_id {
            /// Which order.
            order_id: OrderId,
            /// What went back.
            lines: Vec<Quantity>,
        }
    }
    "emporium/orders" => {
        /// A person placed an order, and its goods are held.
        OrderPlaced = "order.placed" about order_id {
            /// Which.
            order_id: OrderId,
            /// Whose.
            user_id: UserId,
            /// The payment that is to be made for it.
            payment_id: PaymentId,
            /// The provider's token of the means of payment; never a card number.
            payment_method: String,
            /// What was ordered, at which prices.
            lines: Vec<OrderLine>,
            /// What it comes to.
            total: Money,
            /// Until when the goods are held.
            held_until: Timestamp,
        }
        /// The money is promised; the goods may be sold.
        OrderAuthorized = "order.authorized" about order_id {
            /// Which.
            order_id: OrderId,
            /// The payment.
            payment_id: PaymentId,
        }
        /// The goods are sold; the money may be taken.
        OrderCommitted = "order.committed" about order_id {
            /// Which.
            order_id: OrderId,
            /// The payment to capture.
            payment_id: PaymentId,
            /// How much.
            total: Money,
        }
        /// The money is taken: the order is a fact.
        OrderConfirmed = "order.confirmed" about order_id {
            /// Which.
            order_id: OrderId,
            /// Whose.
            user_id: UserId,
            /// The payment.
            payment_id: PaymentId,
            /// What was ordered.
            lines: Vec<OrderLine>,
            /// What was paid.
            total: Money,
        }
        /// The order will not be fulfilled; nothing is charged.
        OrderCancelled = "order.cancelled" about order_id {
            /// Which.
            order_id: OrderId,
            /// Whose.
            user_id: UserId,
            /// The payment to void.
            payment_id: PaymentId,
            /// What it came to.
            total: Money,
            /// Why.
            reason: CancellationReason,
        }
        /// The money could not be had; the goods go back.
        OrderPaymentFailed = "order.payment_failed" about order_id {
            /// Which.
            order_id: OrderId,
            /// Whose.
            user_id: UserId,
            /// The payment.
            payment_id: PaymentId,
            /// What it came to.
            total: Money,
            /// The provider's reason, such as `card_declined`.
            reason: String,
        }
    }
    "emporium/payments" => {
        /// The provider promises the money.
        PaymentAuthorized = "payment.authorized" about payment_id {
            /// Which.
            payment_id: PaymentId,
            /// For which order.
            order_id: OrderId,
            /// How much.
            amount: Money,
        }
        /// The provider does not promise the money.
        PaymentDeclined = "payment.declined" about payment_id {
            /// Which.
            payment_id: PaymentId,
            /// For which order.
            order_id: OrderId,
            /// The provider's reason, such as `card_declined`.
            reason: String,
        }
        /// The money is taken.
        PaymentCaptured = "payment.captured" about payment_id {
            /// Which.
            payment_id: PaymentId,
            /// For which order.
            order_id: OrderId,
            /// How much.
            amount: Money,
        }
        /// Money that was promised could not be taken.
        PaymentCaptureFailed = "payment.capture_failed" about payment_id {
            /// Which.
            payment_id: PaymentId,
            /// For which order.
            order_id: OrderId,
            /// The provider's reason.
            reason: String,
        }
        /// The promise was given back; nothing is charged.
        PaymentVoided = "payment.voided" about payment_id {
            /// Which.
            payment_id: PaymentId,
            /// For which order.
            order_id: OrderId,
        }
    }
    "emporium/notifications" => {
        /// A message waits to be delivered through its channel.
        NotificationQueued = "notification.queued" about notification_id {
            /// Which.
            notification_id: NotificationId,
            /// To whom.
            user_id: UserId,
            /// Through what.
            channel: Channel,
        }
    }
}
