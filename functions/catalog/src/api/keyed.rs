//! Requests that may have an `Idempotency-Key`.

use dynamo::idempotency::{Claim, ClaimError, Claimed, Effect, Intention};
use kernel::Cause;
use runtime::http::{ApiError, MaybeIdempotent, StoredReply};

use crate::{
    App,
    store::{CreateCategoryError, CreateProductError},
};

/// A request that takes effect once under its key, and each time without one.
pub(super) struct Keyed<'a> {
    app: &'a App,
    intention: Option<Intention<'a>>,
}

impl<'a> Keyed<'a> {
    /// `route` and the caller are what the key is unique for.
    pub(super) fn new<T>(
        app: &'a App,
        cause: &Cause,
        route: &str,
        request: &'a MaybeIdempotent<T>,
    ) -> Self {
        let intention = request.key.as_ref().map(|key| Intention {
            scope: format!("{}#{route}", cause.actor),
            key,
            fingerprint: &request.fingerprint,
        });
        Self { app, intention }
    }

    /// Claims the key, if there is one; or the reply that it has already.
    pub(super) async fn begin(&self) -> Result<Result<Option<Claim>, StoredReply>, ApiError> {
        let Some(intention) = &self.intention else {
            return Ok(Ok(None));
        };
        let claimed = self.app.catalog.begin(intention, &self.app.host).await;
        Ok(match claimed.map_err(api_error)? {
            Claimed::Granted(claim) => Ok(Some(claim)),
            Claimed::Completed(reply) => Err(StoredReply::replayed(reply)),
        })
    }

    /// Ends an attempt that failed.
    pub(super) async fn fail(
        &self,
        claim: Option<Claim>,
        Failed { effect, error }: Failed,
    ) -> Result<StoredReply, ApiError> {
        let (Some(intention), Some(claim)) = (&self.intention, claim) else {
            return Err(error);
        };
        let (catalog, host) = (&self.app.catalog, &self.app.host);
        let reply: Option<StoredReply> = catalog
            .give_up(intention, host, claim, effect)
            .await
            .map_err(api_error)?;
        reply.map(StoredReply::replayed).ok_or(error)
    }
}

/// An attempt that failed, and what it may have done all the same.
pub(super) struct Failed {
    pub(super) effect: Effect,
    pub(super) error: ApiError,
}

impl From<CreateProductError> for Failed {
    fn from(error: CreateProductError) -> Self {
        let effect = error.effect();
        let error = error.into();
        Self { effect, error }
    }
}

impl From<CreateCategoryError> for Failed {
    fn from(error: CreateCategoryError) -> Self {
        let effect = error.effect();
        let error = error.into();
        Self { effect, error }
    }
}

/// A refusal before anything was written.
impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        let effect = Effect::None;
        Self { effect, error }
    }
}

fn api_error(error: ClaimError) -> ApiError {
    match error {
        ClaimError::Reused => ApiError::idempotency_key_reused(),
        ClaimError::InProgress => ApiError::idempotency_in_progress(),
        ClaimError::Store(error) => error.into(),
    }
}
