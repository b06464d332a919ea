//! Turns what happened to accounts and orders into what people are told.

use std::sync::Arc;

use contracts::{Envelope, events::NotificationQueued};
use dynamo::{StoreError, Table};
use kernel::{Clock, UserId};
use runtime::{Environment, Error, Function, Grant, grant};

use crate::{
    domain::{Contact, Notification, Reach, Reaction},
    store::Store,
};

const NAME: &str = "compose-notifications";
const GRANTS: &[Grant] = &[
    grant("dynamodb:BatchWriteItem", "NotificationsTable"),
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:PutItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable"),
];

/// The function.
pub fn function() -> Function {
    runtime::queue::consumer(NAME, GRANTS, Composer::start, compose_notifications)
}

/// Composes notifications.
pub struct Composer {
    store: Store,
    clock: Clock,
}

/// Why a notification was not composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeNotificationError {
    /// The event about the order overtook the one about the account.
    #[error("it is not known yet how user {0} is reached")]
    UnknownUser(UserId),
    /// The store failed.
    #[error("compose a notification")]
    Store(#[from] StoreError),
}

impl Composer {
    async fn start(environment: Environment) -> Result<Self, Error> {
        Ok(Self {
            store: Store::new(Table::open(&environment).await?),
            clock: Clock::System,
        })
    }

    /// Waits, by failing, until the person is known; nobody when the person was
    /// erased, who is told nothing more.
    async fn known(&self, user_id: UserId) -> Result<Option<Contact>, ComposeNotificationError> {
        match self.store.reach(user_id).await? {
            Reach::At(contact) => Ok(Some(contact)),
            Reach::Erased => Ok(None),
            Reach::Unknown => Err(ComposeNotificationError::UnknownUser(user_id)),
        }
    }

    async fn queue(
        &self,
        notification: &Notification,
        because: &Envelope,
    ) -> Result<(), ComposeNotificationError> {
        let queued = NotificationQueued {
            notification_id: notification.id,
            user_id: notification.user_id,
            channel: notification.channel,
        };
        let queued = Envelope::new(&queued, self.clock.now(), &because.cause(NAME));
        // Queued now or before: either way it waits once.
        self.store.queue(notification, &queued).await?;
        Ok(())
    }
}

/// Does about an event what [`Reaction`] says.
pub async fn compose_notifications(composer: Arc<Composer>, event: Envelope) -> Result<(), Error> {
    match Reaction::to(&event)? {
        Reaction::Ignore => {}
        Reaction::Remember(contact) => {
            composer.store.remember(&contact).await?;
        }
        Reaction::Welcome(contact, notification) => {
            if composer.store.remember(&contact).await? {
                composer.queue(&notification, &event).await?;
            }
        }
        Reaction::Forget(user_id) => composer.store.forget(user_id, event.time).await?,
        Reaction::Write(notification) => {
            if composer.store.reach(notification.user_id).await? != Reach::Erased {
                composer.queue(&notification, &event).await?;
            }
        }
        Reaction::Tell(notification) => {
            let Some(contact) = composer.known(notification.user_id).await? else {
                return Ok(());
            };
            if contact.wants_email() || notification.message.is_about_the_account() {
                composer.queue(&notification, &event).await?;
            } else {
                composer.store.suppress(&notification).await?;
            }
        }
    }
    Ok(())
}
