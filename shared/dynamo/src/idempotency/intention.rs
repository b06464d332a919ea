//! A request under a key, from its beginning to its end.

use kernel::IdempotencyKey;
use runtime::Host;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Claim, ClaimError, Claimed, abandon, claim, release};
use crate::{StoreError, Table};

/// What a client wants to happen once.
#[derive(Debug)]
pub struct Intention<'a> {
    /// Who wants it, and by which route.
    pub scope: String,
    /// The client's key.
    pub key: &'a IdempotencyKey,
    /// Shows when the key is used with a different body.
    pub fingerprint: &'a str,
}

/// What a failed attempt has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Certainly nothing: the key is free again.
    None,
    /// Perhaps something: the key stays bound to its subject.
    Unknown,
    /// The condition of the claim failed: another request took it over, or this one
    /// succeeded and the store's reply was lost.
    ClaimLost,
}

impl Intention<'_> {
    /// Claims the key; the claim's subject is the id of what is to be created.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub async fn begin<R: DeserializeOwned>(
        &self,
        table: &Table,
        host: &Host,
    ) -> Result<Claimed<R>, ClaimError> {
        let (subject, now) = (host.new_id::<Uuid>(), host.now());
        claim(table, &self.scope, self.key, self.fingerprint, subject, now).await
    }

    /// Ends an attempt that failed. Returns the reply if the key has one after all.
    ///
    /// # Errors
    /// [`ClaimError`] when the claim was lost and the key cannot be read. When a claim
    /// cannot be given up, it expires by itself.
    pub async fn give_up<R: DeserializeOwned>(
        &self,
        table: &Table,
        host: &Host,
        claim: Claim,
        effect: Effect,
    ) -> Result<Option<R>, ClaimError> {
        let given_up: Result<(), StoreError> = match effect {
            Effect::None => release(table, claim).await,
            Effect::Unknown => abandon(table, claim, host.now()).await,
            Effect::ClaimLost => match self.begin(table, host).await? {
                Claimed::Completed(reply) => return Ok(Some(reply)),
                Claimed::Granted(claim) => abandon(table, claim, host.now()).await,
            },
        };
        if let Err(error) = given_up {
            let error = runtime::log::error_chain(&error);
            tracing::warn!(error, "idempotency claim not released; it will expire");
        }
        Ok(None)
    }
}
