//! Every event of the shop, by the service that publishes it.

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
    /// Whether data can be parsed as this type.
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
        /// Somebody registered.
        UserRegistered = "user.registered" about user_id {
            /// The user.
            user_id: UserId,
            /// The normalised e-mail address.
            email: String,
            /// The name.
            name: String,
            /// The token that verifies the address, sealed so that only the
            /// notifications service can read it.
            sealed_verification_token: String,
        }
        /// An account changed. The fields are those after the change.
        UserUpdated = "user.updated" about user_id {
            /// The user.
            user_id: UserId,
            /// The e-mail address.
            email: String,
            /// The name.
            name: String,
            /// The role.
            role: String,
            /// The status.
            status: String,
            /// Which messages the user wants; absent in events from before
            /// preferences existed.
            preferences: Option<Preferences>,
        }
        /// An account was closed: it cannot be used until it is reopened.
        UserDeactivated = "user.deactivated" about user_id {
            /// The user.
            user_id: UserId,
            /// When it will be erased, if the user closed it; until then the user
            /// reopens it by logging in.
            #[serde(skip_serializing_if = "Option::is_none")]
            erase_at: Option<Timestamp>,
        }
        /// A user reopened a closed account by logging in.
        UserReactivated = "user.reactivated" about user_id {
            /// The user.
            user_id: UserId,
        }
        /// An account was erased; consumers must erase the user's personal data.
        UserErased = "user.erased" about user_id {
            /// The user.
            user_id: UserId,
        }
        /// Somebody tried to register the address of an account, in a shop that does not
        /// tell them that it is taken.
        UserRegistrationAttempted = "user.registration_attempted" about user_id {
            /// The owner of the address.
            user_id: UserId,
            /// The account's e-mail address.
            email: String,
        }
        /// A verification e-mail was requested: for the account's address, or for
        /// the address that is to replace it.
        UserVerificationRequested = "user.verification_requested" about user_id {
            /// The user.
            user_id: UserId,
            /// The address to verify.
            email: String,
            /// The token that verifies it, sealed so that only the notifications
            /// service can read it.
            sealed_token: String,
            /// Whether the address is to replace that of the account. The user must
            /// not learn whether the e-mail was sent: it is not if somebody else
            /// has the address. Absent from events published before this was recorded.
            #[serde(skip_serializing_if = "Option::is_none")]
            replaces_current: Option<bool>,
        }
        /// A user verified an address.
        UserEmailVerified = "user.email_verified" about user_id {
            /// The user.
            user_id: UserId,
            /// The address.
            email: String,
            /// Whether it is proven that whoever has the credentials of the account
            /// owns the address; otherwise they may be two people. Absent from events
            /// published before this was recorded.
            #[serde(skip_serializing_if = "Option::is_none")]
            proven: Option<bool>,
        }
        /// An account's address changed; the new one is in the `user.updated` of
        /// the same transaction.
        UserEmailChanged = "user.email_changed" about user_id {
            /// The user.
            user_id: UserId,
            /// The previous address, which is notified.
            previous_email: String,
        }
        /// A password reset was requested.
        UserPasswordResetRequested = "user.password_reset_requested" about user_id {
            /// The user.
            user_id: UserId,
            /// The account's e-mail address.
            email: String,
            /// The token that sets a new password, sealed so that only the
            /// notifications service can read it.
            sealed_token: String,
        }
        /// A user's password changed.
        UserPasswordChanged = "user.password_changed" about user_id {
            /// The user.
            user_id: UserId,
            /// The account's e-mail address.
            email: String,
        }
        /// A second factor was turned on.
        UserMfaEnabled = "user.mfa_enabled" about user_id {
            /// The user.
            user_id: UserId,
            /// The account's e-mail address.
            email: String,
        }
        /// The second factor was turned off.
        UserMfaDisabled = "user.mfa_disabled" about user_id {
            /// The user.
            user_id: UserId,
            /// The account's e-mail address.
            email: String,
        }
    }
    "emporium/catalog" => {
        /// A category was created.
        CategoryCreated = "category.created" about category_id {
            /// The category.
            category_id: CategoryId,
            /// The name.
            name: String,
            /// The parent category, if it has one.
            parent_id: Option<CategoryId>,
        }
        /// A product was created.
        ProductCreated = "product.created" about product_id {
            /// The product.
            product_id: ProductId,
            /// The name.
            name: String,
            /// The price of one.
            price: Money,
            /// The category that it belongs to.
            category_id: CategoryId,
            /// How many can be ordered.
            stock: u32,
        }
        /// A product's stock was set, increased or decreased.
        StockAdjusted = "stock.adjusted" about product_id {
            /// The product.
            product_id: ProductId,
            /// The available stock before.
            previous_stock: u32,
            /// The available stock after.
            stock: u32,
            /// Whether the two numbers were read before the change, because the
            /// product was selling too fast to know them at its very moment. An increase
            /// or a decrease is their difference all the same.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            approximate: bool,
        }
        /// The goods reserved for an order were sold to it.
        StockCommitted = "stock.committed" about order_id {
            /// The order.
            order_id: OrderId,
        }
        /// An order's goods are no longer reserved, so they could not be sold to it.
        StockCommitRejected = "stock.commit_rejected" about order_id {
            /// The order.
            order_id: OrderId,
            /// Why the goods could not be sold.
            reason: RejectionReason,
        }
        /// A reservation expired before its order was paid, and its goods went back
        /// into stock.
        ReservationExpired = "reservation.expired" about order_id {
            /// The order.
            order_id: OrderId,
        }
        /// An order's goods went back into stock.
        StockReleased = "stock.released" about order_id {
            /// The order.
            order_id: OrderId,
            /// The goods.
            lines: Vec<Quantity>,
        }
    }
    "emporium/orders" => {
        /// An order was placed, and its goods are reserved.
        OrderPlaced = "order.placed" about order_id {
            /// The order.
            order_id: OrderId,
            /// The customer.
            user_id: UserId,
            /// The payment to be made for it.
            payment_id: PaymentId,
            /// The provider's token of the payment method; never a card number. Not
            /// kept once the event is published: absent when it is announced again.
            #[serde(default)]
            payment_method: String,
            /// The order lines, with their prices.
            lines: Vec<OrderLine>,
            /// The order total.
            total: Money,
            /// When the reservation expires.
            held_until: Timestamp,
        }
        /// The payment is authorised; the goods may be sold.
        OrderAuthorized = "order.authorized" about order_id {
            /// The order.
            order_id: OrderId,
            /// The payment.
            payment_id: PaymentId,
        }
        /// The goods are sold; the payment may be captured.
        OrderCommitted = "order.committed" about order_id {
            /// The order.
            order_id: OrderId,
            /// The payment to capture.
            payment_id: PaymentId,
            /// The amount to capture.
            total: Money,
        }
        /// The payment is captured: the order is confirmed.
        OrderConfirmed = "order.confirmed" about order_id {
            /// The order.
            order_id: OrderId,
            /// The customer.
            user_id: UserId,
            /// The payment.
            payment_id: PaymentId,
            /// The order lines.
            lines: Vec<OrderLine>,
            /// The amount paid.
            total: Money,
        }
        /// The order was cancelled; nothing is charged.
        OrderCancelled = "order.cancelled" about order_id {
            /// The order.
            order_id: OrderId,
            /// The customer.
            user_id: UserId,
            /// The payment to void.
            payment_id: PaymentId,
            /// The order total.
            total: Money,
            /// Why it was cancelled.
            reason: CancellationReason,
        }
        /// The payment failed; the goods go back into stock.
        OrderPaymentFailed = "order.payment_failed" about order_id {
            /// The order.
            order_id: OrderId,
            /// The customer.
            user_id: UserId,
            /// The payment.
            payment_id: PaymentId,
            /// The order total.
            total: Money,
            /// The provider's reason, such as `card_declined`.
            reason: String,
        }
    }
    "emporium/payments" => {
        /// A payment has not come to its end for longer than it should: its order
        /// announces again what became of it. Published again after ever longer.
        PaymentDelayed = "payment.delayed" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
        }
        /// The provider authorised the payment.
        PaymentAuthorized = "payment.authorized" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
            /// The authorised amount.
            amount: Money,
        }
        /// The provider declined the payment.
        PaymentDeclined = "payment.declined" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
            /// The provider's reason, such as `card_declined`.
            reason: String,
        }
        /// The payment was captured.
        PaymentCaptured = "payment.captured" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
            /// The captured amount.
            amount: Money,
        }
        /// An authorised payment could not be captured.
        PaymentCaptureFailed = "payment.capture_failed" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
            /// The provider's reason.
            reason: String,
        }
        /// The authorisation was voided; nothing is charged.
        PaymentVoided = "payment.voided" about payment_id {
            /// The payment.
            payment_id: PaymentId,
            /// The order.
            order_id: OrderId,
        }
    }
    "emporium/notifications" => {
        /// A notification is ready to be delivered.
        NotificationQueued = "notification.queued" about notification_id {
            /// The notification.
            notification_id: NotificationId,
            /// The recipient.
            user_id: UserId,
            /// How it is delivered.
            channel: Channel,
            /// Whether it is left out of what the recipient's account can list and
            /// export. Absent means no.
            #[serde(skip_serializing_if = "Option::is_none")]
            unlisted: Option<bool>,
        }
    }
}
