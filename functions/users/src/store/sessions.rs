//! Reading, refreshing and ending sessions. A session that was ended is gone.

use dynamo::{CommitError, Expression, StoreError};
use kernel::{SessionId, UserId};
use serde::de::IgnoredAny;

use super::{
    Store,
    rows::{Found, Row, session_key, user_key},
};
use crate::domain::{Session, User};

/// Why a session could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshSessionError {
    /// The token was used before, or the session ended.
    #[error("the refresh token is not the one that is good now")]
    Superseded,
    /// The store failed.
    #[error("refresh session")]
    Store(#[from] StoreError),
}

impl Store {
    /// A session.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.table.get(session_key(id)).await
    }

    /// A session and a user, as they are now, in one call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn session_and_user(
        &self,
        session_id: SessionId,
        user_id: UserId,
    ) -> Result<(Option<Session>, Option<User>), StoreError> {
        let keys = vec![session_key(session_id), user_key(user_id)];
        let (mut session, mut user) = (None, None);
        for found in self.table.get_many(keys, true).await? {
            match found {
                Found::Session(found) => session = Some(found),
                Found::User(found) => user = Some(*found),
                Found::Email(_) | Found::Attempts(_) => {}
            }
        }
        Ok((session, user))
    }

    /// Gives a session its next refresh token, if `seen` is as it still is. Of
    /// two at the same time, one wins.
    ///
    /// # Errors
    /// [`RefreshSessionError`].
    pub async fn refresh_session(
        &self,
        seen: &Session,
        next: &Session,
    ) -> Result<(), RefreshSessionError> {
        let expression = Expression::update(
            "SET refresh_hash = :next, refreshed_at = :now, expires_at = :expires",
        )
        .only_when("refresh_hash = :seen")
        .value(":seen", &seen.refresh_hash)
        .value(":next", &next.refresh_hash)
        .value(":now", next.refreshed_at)
        .value(":expires", next.ends_at().as_second());
        match self
            .table
            .update::<IgnoredAny>(session_key(seen.id), expression)
            .await
        {
            Ok(_) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::Refused(refused)) => match refused.item::<Session>("item")? {
                // The reply to this very update was lost, and the SDK repeated it.
                Some(found) if found.refresh_hash == next.refresh_hash => Ok(()),
                _ => Err(RefreshSessionError::Superseded),
            },
        }
    }

    /// Ends a session, whatever it is like. That it is over already is as good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        self.end_session_when(id, Expression::default()).await
    }

    /// Ends the session whose current refresh token has this hash.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_session_of_token(
        &self,
        id: SessionId,
        refresh_hash: &str,
    ) -> Result<(), StoreError> {
        let same = Expression::when("refresh_hash = :hash").value(":hash", refresh_hash);
        self.end_session_when(id, same).await
    }

    async fn end_session_when(
        &self,
        id: SessionId,
        condition: Expression,
    ) -> Result<(), StoreError> {
        match self.table.delete(session_key(id), condition).await {
            Ok(()) | Err(CommitError::Refused(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    pub(super) fn session_row(session: &Session) -> Row<'_, Session> {
        Row::expiring(session_key(session.id), session, session.ends_at())
    }
}
