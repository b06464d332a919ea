//! What the service does about each event.

use contracts::{
    Envelope, ReadEventError,
    events::{
        OrderCancelled, OrderConfirmed, OrderPaymentFailed, UserDeactivated, UserEmailChanged,
        UserEmailVerified, UserErased, UserMfaDisabled, UserMfaEnabled, UserPasswordChanged,
        UserPasswordResetRequested, UserReactivated, UserRegistered, UserRegistrationAttempted,
        UserUpdated, UserVerificationRequested,
    },
};
use kernel::UserId;

use super::{Contact, Message, Notification, PaymentFailure};

#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    Ignore,
    SaveContact(Contact),
    /// Save a new user's contact data, and send the first notification.
    Welcome(Contact, Notification),
    /// Record that the user has proven to own the address.
    SaveVerified {
        user_id: UserId,
        email: String,
    },
    Erase(UserId),
    /// Notify a user whose contact data must be known, subject to their
    /// preferences.
    NotifyUser(Notification),
    /// Notify the address that the event names, known or not.
    NotifyAddress(Notification),
}

impl Reaction {
    /// Placed and authorised orders cause none: users are told the outcome, once.
    pub fn to(event: &Envelope) -> Result<Self, ReadEventError> {
        if event.is::<UserRegistered>() {
            event.read().map(|data| welcome(event, data))
        } else if event.is::<UserUpdated>() {
            event.read().map(|data| save_contact(event, data))
        } else if event.is::<UserEmailVerified>() {
            event.read().map(email_verified)
        } else if event.is::<UserVerificationRequested>() {
            event.read().map(|data| verify(event, data))
        } else if event.is::<UserRegistrationAttempted>() {
            event.read().map(|data| registration_attempted(event, data))
        } else if event.is::<UserPasswordResetRequested>() {
            event.read().map(|data| reset(event, data))
        } else if event.is::<UserPasswordChanged>() {
            event.read().map(|data| password_changed(event, data))
        } else if event.is::<UserEmailChanged>() {
            event.read().map(|data| email_changed(event, data))
        } else if event.is::<UserMfaEnabled>() {
            event.read().map(|data| mfa_enabled(event, data))
        } else if event.is::<UserMfaDisabled>() {
            event.read().map(|data| mfa_disabled(event, data))
        } else if event.is::<UserDeactivated>() {
            event.read().map(|data| closed(event, &data))
        } else if event.is::<UserReactivated>() {
            event.read().map(|data| reopened(event, &data))
        } else if event.is::<UserErased>() {
            event
                .read()
                .map(|data: UserErased| Self::Erase(data.user_id))
        } else if event.is::<OrderConfirmed>() {
            event.read().map(|data| confirmed(event, data))
        } else if event.is::<OrderPaymentFailed>() {
            event.read().map(|data| payment_failed(event, &data))
        } else if event.is::<OrderCancelled>() {
            event.read().map(|data| cancelled(event, &data))
        } else {
            Ok(Self::Ignore)
        }
    }
}

fn welcome(event: &Envelope, data: UserRegistered) -> Reaction {
    let message = Message::VerifyEmail {
        email: data.email.clone(),
        sealed_token: data.sealed_verification_token,
    };
    let contact = Contact {
        user_id: data.user_id,
        email: data.email,
        name: data.name,
        preferences: None,
        updated_at: event.time,
    };
    Reaction::Welcome(contact, Notification::email(event, data.user_id, message))
}

fn save_contact(event: &Envelope, data: UserUpdated) -> Reaction {
    Reaction::SaveContact(Contact {
        user_id: data.user_id,
        email: data.email,
        name: data.name,
        preferences: data.preferences,
        updated_at: event.time,
    })
}

/// Somebody who did not ask for the link may follow it, while a stranger has the
/// password: that says nothing about what the account's owner types.
fn email_verified(data: UserEmailVerified) -> Reaction {
    if data.proven == Some(false) {
        return Reaction::Ignore;
    }
    Reaction::SaveVerified {
        user_id: data.user_id,
        email: data.email,
    }
}

/// A new address gets no e-mail if it is somebody else's, so a list that showed the
/// e-mail would reveal who has an account.
fn verify(event: &Envelope, data: UserVerificationRequested) -> Reaction {
    let message = Message::VerifyEmail {
        email: data.email,
        sealed_token: data.sealed_token,
    };
    Reaction::NotifyAddress(Notification {
        unlisted: data.replaces_current == Some(true),
        ..Notification::email(event, data.user_id, message)
    })
}

fn registration_attempted(event: &Envelope, data: UserRegistrationAttempted) -> Reaction {
    let message = Message::RegistrationAttempted { email: data.email };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

fn reset(event: &Envelope, data: UserPasswordResetRequested) -> Reaction {
    let message = Message::ResetPassword {
        email: data.email,
        sealed_token: data.sealed_token,
    };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

fn password_changed(event: &Envelope, data: UserPasswordChanged) -> Reaction {
    let message = Message::PasswordChanged { email: data.email };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

fn email_changed(event: &Envelope, data: UserEmailChanged) -> Reaction {
    let email = data.previous_email;
    let message = Message::EmailChanged { email };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

fn mfa_enabled(event: &Envelope, data: UserMfaEnabled) -> Reaction {
    let message = Message::MfaEnabled { email: data.email };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

fn mfa_disabled(event: &Envelope, data: UserMfaDisabled) -> Reaction {
    let message = Message::MfaDisabled { email: data.email };
    Reaction::NotifyAddress(Notification::email(event, data.user_id, message))
}

/// An account that an admin closes has no erasure date, and its user is not
/// notified: the shop may have its reasons.
fn closed(event: &Envelope, data: &UserDeactivated) -> Reaction {
    data.erase_at.map_or(Reaction::Ignore, |erase_at| {
        let message = Message::AccountClosed { erase_at };
        Reaction::NotifyUser(Notification::email(event, data.user_id, message))
    })
}

fn reopened(event: &Envelope, data: &UserReactivated) -> Reaction {
    let message = Message::AccountReopened;
    Reaction::NotifyUser(Notification::email(event, data.user_id, message))
}

fn confirmed(event: &Envelope, data: OrderConfirmed) -> Reaction {
    let message = Message::OrderConfirmed {
        order_id: data.order_id,
        lines: data.lines.into_iter().map(Into::into).collect(),
        total: data.total,
    };
    Reaction::NotifyUser(Notification::email(event, data.user_id, message))
}

fn payment_failed(event: &Envelope, data: &OrderPaymentFailed) -> Reaction {
    let message = Message::PaymentFailed {
        order_id: data.order_id,
        total: data.total,
        reason: PaymentFailure::from_reason(&data.reason),
    };
    Reaction::NotifyUser(Notification::email(event, data.user_id, message))
}

fn cancelled(event: &Envelope, data: &OrderCancelled) -> Reaction {
    let message = Message::OrderCancelled {
        order_id: data.order_id,
        total: data.total,
        reason: data.reason,
    };
    Reaction::NotifyUser(Notification::email(event, data.user_id, message))
}
