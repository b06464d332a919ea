//! Writes that only take time, so that the time does not reveal who has an account.

use contracts::Envelope;
use dynamo::{Keep, Key, StoreError};
use kernel::{Timestamp, UserId};
use serde::Serialize;

use super::{
    NewUser, Store,
    mail_tokens::inserted,
    rows::{UserItem, event_key, later},
};
use crate::{
    domain::{MailTokenRecord, RESET_LIFETIME},
    store::rows::Row,
};

/// An item that nobody reads.
#[derive(Serialize)]
struct Decoy {
    decoy: String,
}

impl Decoy {
    /// As large as something else, with nothing of it: that may be personal.
    fn as_large_as(content: &impl Serialize) -> Self {
        let length = serde_json::to_vec(content).map_or(0, |json| json.len());
        Self {
            decoy: "x".repeat(length),
        }
    }
}

impl Store {
    /// Writes as much as [`Self::store_mail_token`], where there is nobody to write to.
    pub async fn store_decoy(
        &self,
        record: &MailTokenRecord,
        requested: &Envelope,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (token, event) = (Decoy::as_large_as(record), Decoy::as_large_as(requested));
        let outcome = self
            .table
            .transaction()
            .insert("token", &self.decoy_row(&token, now))
            .insert("event", &self.decoy_row(&event, now))
            .commit()
            .await;
        inserted(outcome)
    }

    /// Writes as much as [`Self::register`] without a session, where the address is taken:
    /// the event that tells its owner, if one is told, and decoys for the rest.
    pub async fn record_registration_attempt(
        &self,
        new: &NewUser<'_>,
        attempted: Option<(UserId, &Envelope)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let email = Decoy::as_large_as(&new.user.id);
        let user = Decoy::as_large_as(&UserItem::new(new.user));
        let verification = Decoy::as_large_as(new.verification);
        let event = Decoy::as_large_as(new.registered);
        let transaction = self
            .table
            .transaction()
            .insert("email", &self.decoy_row(&email, now))
            .insert("user", &self.decoy_row(&user, now))
            .insert("verification", &self.decoy_row(&verification, now))
            .insert("count", &self.decoy_row(&email, now));
        let transaction = match attempted {
            Some((owner, event)) => {
                let key = event_key(owner, event.id);
                // Not part of the history, as other requests for e-mails.
                transaction.announce(&key.pk, &key.sk, event, Keep::ThirtyDays)
            }
            None => transaction.insert("event", &self.decoy_row(&event, now)),
        };
        inserted(transaction.commit().await)
    }

    fn decoy_row<'a>(&self, decoy: &'a Decoy, now: Timestamp) -> Row<'a, Decoy> {
        let key = Key::new(format!("DECOY#{}", self.table.random().uuid()), "DECOY");
        Row::expiring(key, decoy, later(now, RESET_LIFETIME))
    }
}
