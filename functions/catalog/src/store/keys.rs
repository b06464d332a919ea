//! Idempotency keys: `IDEMPOTENCY#<hash>`.

use dynamo::idempotency::{Claim, ClaimError, Claimed, Effect, Intention};
use runtime::Host;
use serde::de::DeserializeOwned;

use super::CatalogStore;

impl CatalogStore {
    /// See [`Intention::begin`].
    pub async fn begin<R: DeserializeOwned>(
        &self,
        intention: &Intention<'_>,
        host: &Host,
    ) -> Result<Claimed<R>, ClaimError> {
        intention.begin(&self.table, host).await
    }

    /// See [`Intention::give_up`].
    pub async fn give_up<R: DeserializeOwned>(
        &self,
        intention: &Intention<'_>,
        host: &Host,
        claim: Claim,
        effect: Effect,
    ) -> Result<Option<R>, ClaimError> {
        intention.give_up(&self.table, host, claim, effect).await
    }
}
