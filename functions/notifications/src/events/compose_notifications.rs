//! `compose-notifications`: turns the events of accounts and orders into
//! notifications, and keeps users' contact data.

use std::sync::Arc;

use contracts::{Envelope, events::NotificationQueued};
use dynamo::StoreError;
use kernel::UserId;
use runtime::{Error, Function, Grant, grant, queue};

use super::mail_limits;
use crate::{
    app::App,
    domain::{Contact, ContactState, Notification, Reaction},
};

const NAME: &str = "compose-notifications";
const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchWriteItem", "NotificationsTable"),
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:PutItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

pub fn function() -> Function {
    queue::consumer(NAME, GRANTS, App::start, compose_notifications)
}

#[derive(Debug, thiserror::Error)]
enum ComposeNotificationError {
    /// An order's event overtook the one about the account.
    #[error("the contact data of user {0} is not known yet")]
    UnknownUser(UserId),
    #[error("read or write the notification")]
    Store(#[from] StoreError),
}

async fn compose_notifications(app: Arc<App>, event: Envelope) -> Result<(), Error> {
    match Reaction::to(&event)? {
        Reaction::Ignore => {}
        Reaction::SaveContact(contact) => {
            app.store.save_contact(&contact).await?;
        }
        Reaction::Welcome(contact, notification) => {
            if app.store.save_contact(&contact).await? {
                send(&app, &notification, None, &event).await?;
            }
        }
        Reaction::SaveVerified { user_id, email } => {
            app.store.save_verified(user_id, &email).await?;
        }
        Reaction::Erase(user_id) => app.store.erase(user_id, event.time).await?,
        Reaction::NotifyAddress(notification) => {
            if app.store.contact(notification.user_id).await? != ContactState::Erased {
                send(&app, &notification, None, &event).await?;
            }
        }
        Reaction::NotifyUser(notification) => {
            let Some(contact) = known_contact(&app, notification.user_id).await? else {
                return Ok(());
            };
            if contact.wants_email() || notification.message.is_account_notice() {
                send(&app, &notification, Some(&contact), &event).await?;
            } else {
                app.store.suppress(&notification).await?;
            }
        }
    }
    Ok(())
}

/// Returns `None` for an erased user. Fails while the user is unknown, so that
/// the event is delivered again.
async fn known_contact(
    app: &App,
    user_id: UserId,
) -> Result<Option<Contact>, ComposeNotificationError> {
    match app.store.contact(user_id).await? {
        ContactState::Known(contact) => Ok(Some(contact)),
        ContactState::Erased => Ok(None),
        ContactState::Unknown => Err(ComposeNotificationError::UnknownUser(user_id)),
    }
}

/// Enqueues a notification, or records it without sending it if its address has
/// received too many. A repeated event counts once, also if an earlier attempt
/// ended between counting and enqueueing.
async fn send(
    app: &App,
    notification: &Notification,
    contact: Option<&Contact>,
    trigger: &Envelope,
) -> Result<(), ComposeNotificationError> {
    if mail_limits::admits(app, notification, contact).await? {
        enqueue(app, notification, trigger).await
    } else {
        Ok(app.store.suppress(notification).await?)
    }
}

async fn enqueue(
    app: &App,
    notification: &Notification,
    trigger: &Envelope,
) -> Result<(), ComposeNotificationError> {
    let queued = NotificationQueued {
        notification_id: notification.id,
        user_id: notification.user_id,
        channel: notification.channel,
        unlisted: notification.unlisted.then_some(true),
    };
    let stamp = app.host.stamp(app.host.now(), &trigger.cause(NAME));
    let queued = Envelope::new(&queued, stamp);
    app.store.enqueue(notification, &queued).await?;
    Ok(())
}
