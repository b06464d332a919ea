//! Delivers the notifications that go by e-mail.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{Channel, NotificationQueued},
};
use dynamo::{StoreError, Table};
use jiff::SignedDuration;
use kernel::{Clock, NotificationId, UserId};
use runtime::{
    Environment, EnvironmentError, Error, Function, Grant, SealKey, aws::Aws, grant, log,
    read_secret,
};
use uuid::Uuid;

use crate::{
    domain::{Message, Reach},
    mail::{Mailer, Recipient, RenderMailError, Renderer, SendMailError, SesMailer},
    store::{Claim, Claimed, Settled, Store},
};

/// How long a try may take before another one begins. Longer than the function
/// may run (10 s), so that only a dead one loses its claim; shorter than the
/// queue keeps a message from others (60 s), so that the next delivery of the
/// message finds the way free.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
const SHOP_NAME_DEFAULT: &str = "Emporium";
/// What the users service seals its tokens for.
const TOKEN_PURPOSE: &str = "email-token";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:UpdateItem", "NotificationsTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
    grant("ses:SendEmail", "MailIdentity"),
];

/// The function.
pub fn function() -> Function {
    runtime::queue::consumer(
        "deliver-email",
        GRANTS,
        Courier::from_environment,
        deliver_email,
    )
}

/// Delivers e-mails.
#[derive(Clone)]
pub struct Courier {
    store: Store,
    renderer: Arc<Renderer>,
    mailer: Arc<dyn Mailer>,
    clock: Clock,
}

/// Why a notification was not delivered this time.
#[derive(Debug, thiserror::Error)]
pub enum DeliverEmailError {
    /// There is no such notification.
    #[error("there is no notification {0}")]
    Unknown(NotificationId),
    /// Another try is under way, or died a moment ago.
    #[error("another try to deliver notification {0} has not ended")]
    Busy(NotificationId),
    /// Nobody knows where it goes.
    #[error("it is not known how user {0} is reached")]
    Unreachable(UserId),
    /// The person was erased, and is to be told nothing.
    #[error("the person was erased")]
    Erased,
    /// It could not be written.
    #[error(transparent)]
    Render(#[from] RenderMailError),
    /// It could not be sent.
    #[error(transparent)]
    Send(#[from] SendMailError),
    /// The store failed.
    #[error("deliver an e-mail")]
    Store(#[from] StoreError),
}

impl Courier {
    /// A courier that sends through `mailer`.
    pub fn new(store: Store, renderer: Renderer, mailer: Arc<dyn Mailer>, clock: Clock) -> Self {
        Self {
            store,
            renderer: Arc::new(renderer),
            mailer,
            clock,
        }
    }

    async fn from_environment(environment: Environment) -> Result<Self, Error> {
        let aws = Aws::from_environment(&environment)?;
        let url = environment.require("PUBLIC_URL")?.parse();
        let url = url.map_err(|_| EnvironmentError::Unreadable {
            name: "PUBLIC_URL".to_owned(),
            expected: "a URL as in https://shop.example",
        })?;
        let mailer = SesMailer::new(&aws.ses(), environment.require("MAIL_FROM")?);
        let secrets = aws.secrets();
        let (secret, table) = tokio::join!(
            read_secret(&secrets, environment.require("MAIL_SECRET")?),
            Table::open(&environment)
        );
        let shop = environment.get("SHOP_NAME").unwrap_or(SHOP_NAME_DEFAULT);
        let renderer = Renderer::new(shop, url, SealKey::new(secret?, TOKEN_PURPOSE))?;
        let store = Store::new(table?);
        Ok(Self::new(store, renderer, Arc::new(mailer), Clock::System))
    }

    /// Delivers a notification that waits; does nothing when it was delivered.
    async fn deliver(
        &self,
        user_id: UserId,
        notification_id: NotificationId,
    ) -> Result<(), DeliverEmailError> {
        let now = self.clock.now();
        let claim = Claim {
            user_id,
            notification_id,
            id: Uuid::new_v4(),
            now,
            until: now.saturating_add(LEASE).unwrap_or(now),
        };
        match self.store.claim(&claim).await? {
            Claimed::Settled => Ok(()),
            Claimed::Busy => Err(DeliverEmailError::Busy(notification_id)),
            // It went with the person.
            Claimed::Unknown if self.store.reach(user_id).await? == Reach::Erased => Ok(()),
            Claimed::Unknown => Err(DeliverEmailError::Unknown(notification_id)),
            Claimed::Yours {
                message,
                correlation_id,
            } => {
                let sent = self.send(user_id, &message, &correlation_id).await;
                self.settle(&claim, &message, &correlation_id, sent).await
            }
        }
    }

    /// Writes and sends a mail; gives the name that the carrier gave it.
    async fn send(
        &self,
        user_id: UserId,
        message: &Message,
        correlation_id: &str,
    ) -> Result<String, DeliverEmailError> {
        let recipient = self.recipient(user_id, message).await?;
        let mail = self.renderer.render(message, recipient, correlation_id)?;
        Ok(self.mailer.send(mail).await?)
    }

    async fn recipient(
        &self,
        user_id: UserId,
        message: &Message,
    ) -> Result<Recipient, DeliverEmailError> {
        let reach = self.store.reach(user_id).await?;
        if reach == Reach::Erased {
            return Err(DeliverEmailError::Erased);
        }
        if let Some(email) = message.address() {
            // Without a name: nobody knows (yet) that the address is the person's.
            return Ok(Recipient {
                email: email.to_owned(),
                salutation: None,
            });
        }
        match reach {
            Reach::At(contact) => Ok(Recipient {
                salutation: contact.salutation(),
                email: contact.email,
            }),
            Reach::Unknown | Reach::Erased => Err(DeliverEmailError::Unreachable(user_id)),
        }
    }

    /// Records how the try ended. When the record of a mail that was sent does
    /// not get through, the mail will be sent again: SES has nothing that would
    /// tell it that it is the same.
    async fn settle(
        &self,
        claim: &Claim,
        message: &Message,
        correlation_id: &str,
        sent: Result<String, DeliverEmailError>,
    ) -> Result<(), DeliverEmailError> {
        let (template, notification_id) = (message.template(), claim.notification_id);
        match sent {
            Ok(message_id) => {
                tracing::info!(template, %notification_id, correlation_id, message_id, "email sent");
                if !self.store.settle(claim, Settled::Sent).await? {
                    tracing::warn!(%notification_id, correlation_id, "email sent by two tries");
                }
                Ok(())
            }
            // It was composed while the person was being erased.
            Err(DeliverEmailError::Erased) => {
                self.store.settle(claim, Settled::Erased).await?;
                Ok(())
            }
            Err(DeliverEmailError::Send(SendMailError::Refused { code })) => {
                tracing::error!(template, %notification_id, correlation_id, code, "email refused");
                self.store.settle(claim, Settled::Failed(&code)).await?;
                Ok(())
            }
            Err(error) => {
                // The claim runs out by itself when it cannot be given back.
                if let Err(unsettled) = self.store.settle(claim, Settled::Released).await {
                    let error = log::error_chain(&unsettled);
                    tracing::warn!(%notification_id, correlation_id, error, "claim not released");
                }
                Err(error)
            }
        }
    }
}

/// Delivers the notification that an event tells of, when it goes by e-mail.
pub async fn deliver_email(courier: Arc<Courier>, event: Envelope) -> Result<(), Error> {
    if !event.is::<NotificationQueued>() {
        return Ok(());
    }
    let queued: NotificationQueued = event.read()?;
    match queued.channel {
        Channel::Email => {
            courier
                .deliver(queued.user_id, queued.notification_id)
                .await?
        }
    }
    Ok(())
}
