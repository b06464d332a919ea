//! Turns what happened to accounts and orders into what people are told.

use std::sync::Arc;

use contracts::{Envelope, events::NotificationQueued};
use dynamo::{StoreError, Table};
use kernel::{Clock, UserId};
use runtime::{Environment, Error, Function, Grant, grant};

use crate::{
    domain::{Contact, Notification, Reaction},
    store::Store,
};

const NAME: &str = "compose-notifications";
const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:PutItem", "NotificationsTable"),
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

    /// Waits, by failing, until the person is known. What is known of a person
    /// is replaced but never removed, so they stay known.
    async fn require_known(&self, user_id: UserId) -> Result<Contact, ComposeNotificationError> {
        let known = self.store.contact(user_id).await?;
        known.ok_or(ComposeNotificationError::UnknownUser(user_id))
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
        Reaction::Remember(contact) => composer.store.remember(&contact).await?,
        Reaction::Welcome(contact, notification) => {
            composer.store.remember(&contact).await?;
            composer.queue(&notification, &event).await?;
        }
        Reaction::Write(notification) => composer.queue(&notification, &event).await?,
        Reaction::Tell(notification) => {
            let contact = composer.require_known(notification.user_id).await?;
            if contact.wants_email() {
                composer.queue(&notification, &event).await?;
            } else {
                composer.store.suppress(&notification).await?;
            }
        }
    }
    Ok(())
}
