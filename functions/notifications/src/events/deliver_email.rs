//! `deliver-email`: sends the notifications whose channel is email.

use std::sync::Arc;

use contracts::{
    Envelope,
    events::{Channel, NotificationQueued},
};
use dynamo::StoreError;
use kernel::{NotificationId, SignedDuration, UserId};
use runtime::{
    Environment, EnvironmentError, Error, Function, Grant, Host, SealKey, aws::Aws, grant, log,
    queue, read_secret,
};

use crate::{
    domain::{ContactState, Message},
    mail::{Mailer, Recipient, RenderMailError, Renderer, SendMailError, SesMailer},
    store::{Claim, ClaimOutcome, DeliveryOutcome, Store},
};

/// How long an attempt holds its notification. Longer than the function may run
/// (10 s), so that only a dead one loses its claim; shorter than the visibility
/// timeout of the queue (60 s), so that the next delivery of the event can claim.
const CLAIM_LIFETIME: SignedDuration = SignedDuration::from_secs(30);
const SHOP_NAME_DEFAULT: &str = "Emporium";
/// The purpose for which the users service seals its tokens.
const TOKEN_PURPOSE: &str = "email-token";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:UpdateItem", "NotificationsTable"),
    grant("secretsmanager:GetSecretValue", "MailSecret"),
    grant("ses:SendEmail", "MailConfiguration"),
    grant("ses:SendEmail", "MailIdentity"),
];

pub fn function() -> Function {
    queue::consumer("deliver-email", GRANTS, EmailDelivery::start, deliver_email)
}

struct EmailDelivery {
    store: Store,
    renderer: Renderer,
    mailer: Arc<dyn Mailer>,
    host: Host,
}

#[derive(Debug, thiserror::Error)]
enum DeliverEmailError {
    #[error("notification {0} does not exist")]
    NotFound(NotificationId),
    /// Another attempt is in progress, or has died and its claim has not expired.
    #[error("another attempt to deliver notification {0} is in progress")]
    Busy(NotificationId),
    #[error("the email address of user {0} is not known")]
    UnknownUser(UserId),
    #[error("the user has been erased")]
    Erased,
    #[error(transparent)]
    Render(#[from] RenderMailError),
    #[error(transparent)]
    Send(#[from] SendMailError),
    #[error("read or write the notification")]
    Store(#[from] StoreError),
}

async fn deliver_email(delivery: Arc<EmailDelivery>, event: Envelope) -> Result<(), Error> {
    if !event.is::<NotificationQueued>() {
        return Ok(());
    }
    let queued: NotificationQueued = event.read()?;
    match queued.channel {
        Channel::Email => delivery.deliver(&queued).await?,
    }
    Ok(())
}

impl EmailDelivery {
    async fn start(environment: Environment) -> Result<Self, Error> {
        let (aws, host) = (
            Aws::from_environment(&environment)?,
            environment.host().clone(),
        );
        let url = environment.require("PUBLIC_URL")?.parse();
        let url = url.map_err(|_| EnvironmentError::Unreadable {
            name: "PUBLIC_URL".to_owned(),
            expected: "a URL such as https://shop.example",
        })?;
        let from = environment.require("MAIL_FROM")?;
        let configuration_set = environment.get("MAIL_CONFIGURATION");
        let mailer = SesMailer::new(&aws.ses(), from, configuration_set, host.random().clone());
        let secrets = aws.secrets();
        let (secret, store) = tokio::join!(
            read_secret(&secrets, environment.require("MAIL_SECRET")?),
            Store::open(&environment)
        );
        let shop = environment.get("SHOP_NAME").unwrap_or(SHOP_NAME_DEFAULT);
        let tokens = SealKey::new(secret?, TOKEN_PURPOSE, host.random().clone());
        Ok(Self {
            store: store?,
            renderer: Renderer::new(shop, url, tokens)?,
            mailer: Arc::new(mailer),
            host,
        })
    }

    /// Delivers a queued notification; does nothing once it has been delivered.
    async fn deliver(&self, queued: &NotificationQueued) -> Result<(), DeliverEmailError> {
        let (user_id, notification_id) = (queued.user_id, queued.notification_id);
        let now = self.host.now();
        let claim = Claim {
            user_id,
            notification_id,
            unlisted: queued.unlisted == Some(true),
            id: self.host.random().uuid(),
            now,
            until: now.saturating_add(CLAIM_LIFETIME).unwrap_or(now),
        };
        match self.store.claim(&claim).await? {
            ClaimOutcome::Granted {
                message,
                correlation_id,
            } => {
                let sent = self.send(user_id, &message, &correlation_id).await;
                self.settle(&claim, &message, &correlation_id, sent).await
            }
            ClaimOutcome::Settled => Ok(()),
            ClaimOutcome::Busy => Err(DeliverEmailError::Busy(notification_id)),
            // Notifications are erased with their user.
            ClaimOutcome::NotFound => match self.store.contact(user_id).await? {
                ContactState::Erased => Ok(()),
                _ => Err(DeliverEmailError::NotFound(notification_id)),
            },
        }
    }

    /// Renders and sends an email; returns the id that the mail provider assigned.
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
        let contact = self.store.contact(user_id).await?;
        match (contact, message.fixed_address()) {
            (ContactState::Erased, _) => Err(DeliverEmailError::Erased),
            // Without a name: the address may not be the user's.
            (_, Some(email)) => Ok(Recipient {
                email: email.to_owned(),
                salutation: None,
            }),
            (ContactState::Known(contact), None) => {
                let is_verified = self.store.is_verified(user_id, &contact.email).await?;
                // Anybody can register somebody else's address, so nothing that the
                // account's owner typed is sent there before it is verified.
                Ok(Recipient {
                    salutation: contact.salutation().filter(|_| is_verified),
                    email: contact.email,
                })
            }
            (ContactState::Unknown, None) => Err(DeliverEmailError::UnknownUser(user_id)),
        }
    }

    /// Records how the attempt ended. If the record of an email that was sent
    /// is lost, the email is sent again: SES has no idempotency token.
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
                if !self.store.settle(claim, DeliveryOutcome::Sent).await? {
                    tracing::warn!(%notification_id, correlation_id, "email possibly sent twice");
                }
                Ok(())
            }
            // The notification was composed while the user was being erased.
            Err(DeliverEmailError::Erased) => {
                self.store.settle(claim, DeliveryOutcome::Erased).await?;
                Ok(())
            }
            Err(DeliverEmailError::Send(SendMailError::Rejected { code })) => {
                tracing::error!(template, %notification_id, correlation_id, code, "email rejected");
                let outcome = DeliveryOutcome::Failed(&code);
                self.store.settle(claim, outcome).await?;
                Ok(())
            }
            Err(error) => {
                // If the claim cannot be released, it expires.
                if let Err(unsettled) = self.store.settle(claim, DeliveryOutcome::Released).await {
                    let error = log::error_chain(&unsettled);
                    tracing::warn!(%notification_id, correlation_id, error, "claim not released");
                }
                Err(error)
            }
        }
    }
}
