//! Reading, refreshing and ending sessions. A session that has ended is deleted.

use dynamo::{CommitError, Expression, Query, StoreError};
use kernel::{SessionId, UserId};
use serde::de::IgnoredAny;

use super::{
    Store,
    rows::{AnyItem, Row, SESSIONS, USER, session_key, user_key, user_partition},
};
use crate::domain::{SecondFactor, Session, User};

#[derive(Debug, thiserror::Error)]
pub enum RefreshSessionError {
    /// The token was used before, or the session has ended.
    #[error("the refresh token is not the current one")]
    Superseded,
    #[error("refresh session")]
    Store(#[from] StoreError),
}

impl Store {
    pub async fn session(
        &self,
        user_id: UserId,
        id: SessionId,
    ) -> Result<Option<Session>, StoreError> {
        self.table.get(session_key(user_id, id)).await
    }

    /// A session and a user in one consistent call.
    pub async fn session_and_user(
        &self,
        session_id: SessionId,
        user_id: UserId,
    ) -> Result<(Option<Session>, Option<User>), StoreError> {
        let keys = vec![session_key(user_id, session_id), user_key(user_id)];
        let (mut session, mut user) = (None, None);
        for item in self.table.get_many(keys, true).await? {
            match item {
                AnyItem::Session(found) => session = Some(found),
                AnyItem::User(found) => user = Some(*found),
                AnyItem::Email(_) | AnyItem::LoginFailures(_) | AnyItem::Factor(_) => {}
            }
        }
        Ok((session, user))
    }

    /// A user with all sessions, including those that have ended, in one
    /// consistent query.
    pub async fn account(
        &self,
        user_id: UserId,
    ) -> Result<(Option<User>, Vec<Session>), StoreError> {
        let (user, sessions, _) = self.account_with_factor(user_id).await?;
        Ok((user, sessions))
    }

    /// The same with the second factor, which the same query reads.
    pub(super) async fn account_with_factor(
        &self,
        user_id: UserId,
    ) -> Result<(Option<User>, Vec<Session>, Option<SecondFactor>), StoreError> {
        let query = Query::table("pk = :pk AND sk BETWEEN :first AND :last")
            .value(":pk", user_partition(user_id))
            .value(":first", SESSIONS)
            .value(":last", USER)
            .consistent();
        let (mut user, mut sessions, mut factor) = (None, Vec::new(), None);
        for item in self.table.read_all(query, usize::MAX).await? {
            match item {
                AnyItem::Session(found) => sessions.push(found),
                AnyItem::User(found) => user = Some(*found),
                AnyItem::Factor(found) => factor = Some(found),
                AnyItem::Email(_) | AnyItem::LoginFailures(_) => {}
            }
        }
        Ok((user, sessions, factor))
    }

    /// Rotates the refresh token of a session, unless it was rotated since it was
    /// read. Of two concurrent rotations, one succeeds.
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
            .update::<IgnoredAny>(session_key(seen.user_id, seen.id), expression)
            .await
        {
            Ok(_) => Ok(()),
            Err(CommitError::Store(error)) => Err(error.into()),
            Err(CommitError::ConditionFailed(failed)) => match failed.item::<Session>("item")? {
                // The reply to this update was lost, and the SDK repeated it.
                Some(found) if found.refresh_hash == next.refresh_hash => Ok(()),
                _ => Err(RefreshSessionError::Superseded),
            },
        }
    }

    /// Ends a session; one that has ended is no error.
    pub async fn end_session(&self, user_id: UserId, id: SessionId) -> Result<(), StoreError> {
        self.end_session_when(user_id, id, Expression::default())
            .await
    }

    /// Ends a session if its current refresh token has this hash.
    pub async fn end_session_of_token(
        &self,
        user_id: UserId,
        id: SessionId,
        refresh_hash: &str,
    ) -> Result<(), StoreError> {
        let same = Expression::when("refresh_hash = :hash").value(":hash", refresh_hash);
        self.end_session_when(user_id, id, same).await
    }

    async fn end_session_when(
        &self,
        user_id: UserId,
        id: SessionId,
        condition: Expression,
    ) -> Result<(), StoreError> {
        match self.table.delete(session_key(user_id, id), condition).await {
            Ok(()) | Err(CommitError::ConditionFailed(_)) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    pub(super) fn session_row(session: &Session) -> Row<'_, Session> {
        Row::expiring(
            session_key(session.user_id, session.id),
            session,
            session.ends_at(),
        )
    }
}
